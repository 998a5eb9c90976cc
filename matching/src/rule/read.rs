//! Reads lists of rules and finds all problems in them.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::{Value, value::RawValue};

use super::{Rule, limits::Limits};
use crate::{
    event_type::TypePattern,
    pattern::Pattern,
    problem::{Problem, Problems, below},
    storable,
};

const FIELDS: [&str; 6] =
    ["event_types", "except_event_types", "companies", "projects", "except_projects", "pattern"];

/// An object whose values are kept as they are written, so that numbers keep their digits.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

impl Rule {
    /// Reads a subscriber's rules, a JSON list.
    ///
    /// # Errors
    /// All problems at once.
    pub fn read_list(json: &str, limits: &Limits) -> Result<Vec<Self>, Vec<Problem>> {
        let mut reader = Reader { limits, problems: Problems::default() };
        let rules = reader.rules(json);
        reader.bound(json, &rules);
        reader.problems.or(rules)
    }
}

struct Reader<'l> {
    limits: &'l Limits,
    problems: Problems,
}

impl Reader<'_> {
    fn rules(&mut self, json: &str) -> Vec<Rule> {
        let most = self.limits.rules;
        let problem = match serde_json::from_str::<Vec<&RawValue>>(json) {
            Ok(items) if items.is_empty() => {
                let message = "a webhook needs at least one rule; the rule {} wants all events";
                ("empty_list", message.to_owned())
            }
            Ok(items) if items.len() > most => {
                let message = format!("{} rules, at most {most} are allowed; join some of them", items.len());
                ("too_many", message)
            }
            Ok(items) => {
                self.problems.0.extend(unstorable_names(json));
                let places = items.iter().enumerate();
                return places.map(|(place, item)| self.rule(item.get(), &format!("/{place}"))).collect();
            }
            Err(error) => match serde_json::from_str::<IgnoredAny>(json) {
                Ok(_) => ("wrong_type", "rules are a JSON list of objects, such as [{}]".to_owned()),
                Err(_) => {
                    ("not_json", format!("this is not JSON ({error}); check quotes, commas and brackets"))
                }
            },
        };
        self.problems.add("", problem.0, json, problem.1);
        Vec::new()
    }

    /// Bounds the tests of all rules together.
    fn bound(&mut self, json: &str, rules: &[Rule]) {
        let tests: usize = rules.iter().map(Rule::tests).sum();
        if tests > self.limits.tests {
            let message = format!(
                "the patterns compare an event with {tests} values (those of all fields, in each alternative of \
                 $or), at most {} are allowed for a webhook",
                self.limits.tests
            );
            self.problems.add("", "too_many_tests", json, message);
        }
    }

    fn rule(&mut self, json: &str, pointer: &str) -> Rule {
        let Ok(fields) = serde_json::from_str::<Fields<'_>>(json) else {
            self.problems.add(pointer, "wrong_type", json, "a rule is a JSON object, such as {}");
            return Rule::default();
        };
        for (name, value) in fields.iter().filter(|(name, _)| !FIELDS.contains(&name.as_str())) {
            let message = format!("this field is not known; a rule has {}", FIELDS.join(", "));
            self.problems.add(&below(pointer, name), "unknown_field", value.get(), message);
        }
        let Limits { types, ids, .. } = *self.limits;
        Rule {
            event_types: self.list(&fields, "event_types", types, pointer, event_type),
            except_event_types: self.list(&fields, "except_event_types", types, pointer, event_type),
            companies: self.list(&fields, "companies", ids, pointer, id),
            projects: self.list(&fields, "projects", ids, pointer, id),
            except_projects: self.list(&fields, "except_projects", ids, pointer, id),
            pattern: self.pattern(&fields, pointer),
        }
    }

    fn pattern(&mut self, fields: &Fields<'_>, pointer: &str) -> Option<Pattern> {
        let json = fields.get("pattern")?;
        match Pattern::parse_within(json.get(), &self.limits.pattern) {
            Ok(pattern) => Some(pattern),
            Err(problems) => {
                let inside = |problem: Problem| {
                    let pointer = format!("{pointer}/pattern{}", problem.pointer);
                    Problem { pointer, ..problem }
                };
                self.problems.0.extend(problems.into_iter().map(inside));
                None
            }
        }
    }

    fn list<T>(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        most: usize,
        pointer: &str,
        read: impl Fn(&str) -> Result<T, (&'static str, String)>,
    ) -> Option<Vec<T>> {
        let json = fields.get(name)?.get();
        let pointer = below(pointer, name);
        let problem = match serde_json::from_str::<Vec<&RawValue>>(json) {
            Ok(items) if items.is_empty() => {
                ("empty_list", "an empty list would want nothing; leave it out for all".to_owned())
            }
            Ok(items) if items.len() > most => {
                let message =
                    format!("{} entries, at most {most} are allowed; use several rules", items.len());
                ("too_many", message)
            }
            Ok(items) => return Some(self.items(&items, &pointer, read)),
            Err(_) => ("wrong_type", "this is a list of strings, such as [\"a\", \"b\"]".to_owned()),
        };
        self.problems.add(&pointer, problem.0, json, problem.1);
        None
    }

    fn items<T>(
        &mut self,
        items: &[&RawValue],
        pointer: &str,
        read: impl Fn(&str) -> Result<T, (&'static str, String)>,
    ) -> Vec<T> {
        let mut found = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            let read = match serde_json::from_str(item.get()) {
                Ok(Value::String(text)) => read(&text),
                _ => Err(("wrong_type", "write a string in quotes here".to_owned())),
            };
            match read {
                Ok(good) => found.push(good),
                Err((code, message)) => {
                    self.problems.add(&format!("{pointer}/{place}"), code, item.get(), message);
                }
            }
        }
        found
    }
}

/// Texts that cannot be stored, except in patterns, whose reader reports them.
fn unstorable_names(json: &str) -> Vec<Problem> {
    let is_in_pattern = |problem: &Problem| problem.pointer.split('/').nth(2) == Some("pattern");
    let mut found = storable::problems(json);
    found.retain(|problem| !is_in_pattern(problem));
    found
}

fn event_type(text: &str) -> Result<TypePattern, (&'static str, String)> {
    text.parse().map_err(|error: crate::event_type::BadTypePattern| ("bad_event_type", error.to_string()))
}

fn id(text: &str) -> Result<String, (&'static str, String)> {
    match text {
        "" => Err(("empty_id", "an id cannot be empty; leave the list out for all".to_owned())),
        text => Ok(text.to_owned()),
    }
}
