//! Reads rule lists and finds all that is wrong with them.

use serde_json::{Map, Value};

use super::{MOST_IDS, MOST_RULES, MOST_TYPES, Problem, Rule};
use crate::event_type::TypePattern;

const FIELDS: [&str; 5] = ["event_types", "except_event_types", "companies", "projects", "except_projects"];

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, pointer: &str, code: &'static str, message: impl Into<String>) {
        self.0.push(Problem { pointer: pointer.to_owned(), code, message: message.into() });
    }
}

pub(super) fn rules(value: &Value) -> Result<Vec<Rule>, Vec<Problem>> {
    let mut problems = Problems::default();
    let rules = match value {
        Value::Array(items) if items.is_empty() => {
            problems.add("", "empty_list", "a webhook needs at least one rule; the rule {} wants all events");
            Vec::new()
        }
        Value::Array(items) if items.len() > MOST_RULES => {
            problems.add("", "too_many", format!("{} rules, at most {MOST_RULES} are allowed", items.len()));
            Vec::new()
        }
        Value::Array(items) => {
            let read = |(position, item)| rule(item, &format!("/{position}"), &mut problems);
            items.iter().enumerate().map(read).collect()
        }
        _ => {
            problems.add("", "wrong_type", "rules are a JSON array of objects");
            Vec::new()
        }
    };
    if problems.0.is_empty() { Ok(rules) } else { Err(problems.0) }
}

fn rule(value: &Value, pointer: &str, problems: &mut Problems) -> Rule {
    let Value::Object(fields) = value else {
        problems.add(pointer, "wrong_type", "a rule is a JSON object");
        return Rule::default();
    };
    for name in fields.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        let known = FIELDS.join(", ");
        problems.add(
            &format!("{pointer}/{escaped}"),
            "unknown_field",
            format!("unknown; a rule has {known}"),
        );
    }
    Rule {
        event_types: list(fields, "event_types", MOST_TYPES, pointer, problems, pattern),
        except_event_types: list(fields, "except_event_types", MOST_TYPES, pointer, problems, pattern),
        companies: list(fields, "companies", MOST_IDS, pointer, problems, id),
        projects: list(fields, "projects", MOST_IDS, pointer, problems, id),
        except_projects: list(fields, "except_projects", MOST_IDS, pointer, problems, id),
    }
}

fn pattern(text: &str) -> Result<TypePattern, (&'static str, String)> {
    text.parse().map_err(|error: crate::event_type::BadTypePattern| ("bad_event_type", error.to_string()))
}

fn id(text: &str) -> Result<String, (&'static str, String)> {
    match text {
        "" => Err(("empty_id", "an id cannot be empty; leave the list out for all".to_owned())),
        text => Ok(text.to_owned()),
    }
}

fn list<T>(
    fields: &Map<String, Value>,
    name: &str,
    most: usize,
    pointer: &str,
    problems: &mut Problems,
    read: impl Fn(&str) -> Result<T, (&'static str, String)>,
) -> Option<Vec<T>> {
    let pointer = format!("{pointer}/{name}");
    let items = match fields.get(name)? {
        Value::Array(items) if items.is_empty() => {
            problems.add(&pointer, "empty_list", "an empty list would want nothing; leave it out for all");
            return None;
        }
        Value::Array(items) if items.len() > most => {
            problems.add(
                &pointer,
                "too_many",
                format!("{} entries, at most {most} are allowed", items.len()),
            );
            return None;
        }
        Value::Array(items) => items,
        _ => {
            problems.add(&pointer, "wrong_type", "is a list of strings");
            return None;
        }
    };
    let mut found = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        let at = format!("{pointer}/{position}");
        match item.as_str().map(&read) {
            None => problems.add(&at, "wrong_type", format!("{item} is not a string")),
            Some(Err((code, message))) => problems.add(&at, code, message),
            Some(Ok(good)) => found.push(good),
        }
    }
    Some(found)
}
