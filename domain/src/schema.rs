//! JSON Schemas of event types: compiled once, within bounds, and never fetched from anywhere.
//!
//! What a schema or the data costs is bounded: how often references make it ask the same thing is counted
//! when it is compiled (`cost`), regular expressions run in linear time, so those with look-around or
//! back-references are refused, data too large for a schema is refused, and few problems are reported.

use std::{collections::HashMap, sync::Arc};

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

mod cost;
mod graph;
mod references;

use graph::Graph;
use posthorn_matching::{
    problem::{Problem, Problems},
    storable,
};

/// The largest schema in bytes.
pub const MOST_BYTES: usize = 64 << 10;
/// The most problems that are reported of data.
const MOST_PROBLEMS: usize = 20;
/// How deep a schema may be nested.
const MOST_DEPTH: usize = 32;
/// The memory that a schema's regular expressions take, each.
const REGEX_BYTES: usize = 1 << 20;
/// How many of them it has.
const MOST_REGEXES: usize = 100;
/// How many subschemas are asked in a check: data that would take more is refused. About a second.
pub const MOST_WORK: u64 = 20_000_000;
/// Up to so many, each problem is reported with its place, which takes memory for each.
const MOST_TOLD_WORK: u64 = 100_000;
/// So many bytes of a text weigh as much as a value: regular expressions look at each.
const BYTES_OF_A_VALUE: usize = 16;

/// A compiled JSON Schema, draft 4 to 2020-12 by its `$schema`, the latter without one.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
    /// How many subschemas one value is asked at most.
    visits: u64,
}

/// Schemas of event types, compiled when they are first asked for and kept while their revision lasts.
#[derive(Debug)]
pub struct Schemas {
    most: usize,
    compiled: HashMap<String, (i64, Arc<Schema>)>,
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// What is wrong with it, with a pointer into the schema.
    pub fn compile(json: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let compiled = Self::compile_or_tell(json, &mut problems);
        match compiled {
            Some(schema) => problems.or(schema),
            None => Err(problems.0),
        }
    }

    fn compile_or_tell(json: &str, problems: &mut Problems) -> Option<Self> {
        if json.len() > MOST_BYTES {
            let message = format!("{} bytes, at most {MOST_BYTES} are allowed", json.len());
            problems.add("", "too_long", json, message);
            return None;
        }
        let schema: Value = match serde_json::from_str(json) {
            Ok(schema) => schema,
            Err(error) => {
                problems.add("", "not_json", json, format!("this is not JSON ({error})"));
                return None;
            }
        };
        if depth(&schema) > MOST_DEPTH {
            problems.add("", "too_deep", json, format!("at most {MOST_DEPTH} levels are allowed"));
            return None;
        }
        problems.0.extend(storable::problems(json));
        let visits = match Graph::of(&schema).and_then(|graph| priced(&graph, json)) {
            Ok(visits) => visits,
            Err(found) => {
                problems.0.extend(found);
                return None;
            }
        };
        let regexes = PatternOptions::regex().size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES);
        match jsonschema::options().offline().with_pattern_options(regexes).build(&schema) {
            Ok(validator) => Some(Self { validator, visits }),
            Err(error) => {
                let found = schema.pointer(error.instance_path().as_str()).unwrap_or(&schema).to_string();
                problems.add(error.instance_path().as_str(), "bad_schema", &found, error.to_string());
                None
            }
        }
    }

    /// Checks an event's data, a JSON text. Takes up to a second: not for a thread that others wait for.
    ///
    /// # Errors
    /// What is wrong with it, each with a pointer into the data; no more than twenty.
    pub fn check(&self, data: &str) -> Result<(), Vec<Problem>> {
        self.check_within(data, &mut MOST_WORK.clone())
    }

    /// The same within the work that is left of [`MOST_WORK`] for several checks; takes its own from that.
    ///
    /// # Errors
    /// As [`Schema::check`].
    pub fn check_within(&self, data: &str, work: &mut u64) -> Result<(), Vec<Problem>> {
        let mut problems = Problems::default();
        match serde_json::from_str::<Value>(data) {
            Ok(value) => self.check_value(&value, data, work, &mut problems),
            Err(error) => problems.add("", "not_json", data, format!("this is not JSON ({error})")),
        }
        problems.or(())
    }

    fn check_value(&self, value: &Value, data: &str, left: &mut u64, problems: &mut Problems) {
        let work = size(value) * self.visits;
        if work > *left {
            let message = "it is too large to be checked against the schema of its type, which asks much of \
                           each value: send fewer events at a time, or make the data smaller or the schema simpler";
            problems.add("", "too_costly", data, message);
            return;
        }
        *left -= work;
        if work > MOST_TOLD_WORK {
            if !self.validator.is_valid(value) {
                let message = "it does not fit the schema of its type, and is too large to tell where: check it \
                               with a validator";
                problems.add("", "schema", data, message);
            }
        } else {
            for error in self.validator.iter_errors(value).take(MOST_PROBLEMS) {
                let found = error.instance().to_string();
                let message = error.masked_with("this value").to_string();
                problems.add(error.instance_path().as_str(), "schema", &found, message);
            }
        }
    }
}

/// How often a value is asked, unless the schema has too many regular expressions.
fn priced(graph: &Graph, json: &str) -> Result<u64, Vec<Problem>> {
    let regexes: usize = graph.nodes.iter().map(|node| node.patterns).sum();
    if regexes > MOST_REGEXES {
        let mut problems = Problems::default();
        let message = format!("{regexes} regular expressions, at most {MOST_REGEXES} are allowed");
        problems.add("", "too_costly", json, message);
        return Err(problems.0);
    }
    cost::visits(graph).map_err(|problem| vec![problem])
}

/// How many values it holds, with itself and the names of fields; a long text counts for many.
fn size(value: &Value) -> u64 {
    let text = |text: &str| (text.len() / BYTES_OF_A_VALUE) as u64;
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<u64>(),
        Value::Object(fields) => {
            1 + fields.iter().map(|(name, value)| 1 + text(name) + size(value)).sum::<u64>()
        }
        Value::String(held) => 1 + text(held),
        _ => 1,
    }
}

impl Schemas {
    /// Keeps at most so many.
    pub fn new(most: usize) -> Self {
        Self { most, compiled: HashMap::new() }
    }

    /// The schema of an event type, if this revision was kept.
    pub fn get(&self, event_type: &str, revision: i64) -> Option<Arc<Schema>> {
        self.compiled
            .get(event_type)
            .filter(|(known, _)| *known == revision)
            .map(|(_, schema)| schema.clone())
    }

    /// Keeps the schema of an event type in place of an earlier revision.
    pub fn keep(&mut self, event_type: &str, revision: i64, schema: Arc<Schema>) {
        if self.compiled.len() >= self.most && !self.compiled.contains_key(event_type) {
            self.compiled.clear();
        }
        self.compiled.insert(event_type.to_owned(), (revision, schema));
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compiled(schema: Value) -> Schema {
        Schema::compile(&schema.to_string()).unwrap()
    }

    #[test]
    fn problems_point_into_the_data() {
        let schema = compiled(json!({
            "type": "object", "required": ["title"],
            "properties": {"priority": {"type": "integer", "minimum": 1}, "tags": {"items": {"type": "string"}}}
        }));
        assert_eq!(schema.check(r#"{"title": "x", "priority": 2}"#), Ok(()));
        let problems = schema.check(r#"{"priority": 0, "tags": ["a", 5]}"#).unwrap_err();
        let mut told: Vec<_> = problems.iter().map(|problem| (&*problem.pointer, &*problem.value)).collect();
        told.sort_unstable();
        assert_eq!(told, [("", r#"{"priority":0,"tags":["a",5]}"#), ("/priority", "0"), ("/tags/1", "5")]);
        assert_eq!(schema.check("{").unwrap_err()[0].code, "not_json");
    }

    #[test]
    fn nothing_is_fetched() {
        for reference in ["https://example.com/schema.json", "file:///etc/hostname"] {
            let problems = Schema::compile(&json!({"$ref": reference}).to_string()).unwrap_err();
            assert_eq!(problems[0].code, "bad_schema", "{reference}");
        }
        let own = compiled(
            json!({"$defs": {"id": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/id"}}}),
        );
        assert!(own.check(r#"{"a": 1}"#).is_err());
    }

    #[test]
    fn what_may_cost_much_is_refused() {
        let bad = |schema: Value| Schema::compile(&schema.to_string()).is_err();
        assert!(bad(json!({"pattern": "(a)\\1"})), "a back-reference");
        assert!(bad(json!({"pattern": "((((a{100}){100}){100}){100})"})));
        assert!(bad(json!({"title": "x".repeat(MOST_BYTES)})));
        let deep = (0..MOST_DEPTH).fold(json!({}), |inner, _| json!({"not": inner}));
        assert!(bad(deep));
        let linear = compiled(json!({"properties": {"a": {"pattern": "^(a+)+$"}}}));
        assert!(linear.check(&json!({"a": "a".repeat(50_000) + "b"}).to_string()).is_err());
    }

    #[test]
    fn a_thousand_mistakes_are_told_in_twenty() {
        let schema = compiled(json!({"properties": {"a": {"items": {"type": "string"}}}}));
        let problems = schema.check(&json!({"a": vec![1; 1000]}).to_string()).unwrap_err();
        assert_eq!(problems.len(), MOST_PROBLEMS);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test bounds how long it takes")]
    fn what_would_double_at_each_level_is_refused_at_once() {
        let started = std::time::Instant::now();
        for levels in [17, 24] {
            let next = |level: usize| json!({"$ref": format!("#/$defs/d{}", level + 1)});
            let mut all: serde_json::Map<_, _> = (0..levels)
                .map(|level| (format!("d{level}"), json!({"allOf": [next(level), next(level)]})))
                .collect();
            all.insert(format!("d{levels}"), json!({"required": ["a"]}));
            let schema = json!({"$defs": all, "$ref": "#/$defs/d0"});
            assert_eq!(Schema::compile(&schema.to_string()).unwrap_err()[0].code, "too_costly");
        }
        let separate: serde_json::Map<_, _> = (0..30)
            .map(|level| {
                let next = json!({"$ref": format!("#/$defs/d{}", (level + 1).min(29))});
                (format!("d{level}"), json!({"properties": {"a": next, "b": next}}))
            })
            .collect();
        let schema = compiled(json!({"$defs": separate, "$ref": "#/$defs/d0"}));
        assert_eq!(schema.check(r#"{"a": {"b": {"a": 1}}}"#), Ok(()));
        assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
    }

    #[test]
    fn data_that_would_take_too_long_is_refused() {
        let variants: Vec<_> = (0..900).map(|kind| json!({"required": [format!("a{kind}")]})).collect();
        let schema = compiled(json!({"properties": {"all": {"items": {"not": {"anyOf": variants}}}}}));
        let code = |count: usize| match schema.check(&json!({"all": vec![json!({}); count]}).to_string()) {
            Ok(()) => "",
            Err(problems) => problems[0].code,
        };
        assert_eq!((code(10), code(1000), code(100_000)), ("", "", "too_costly"));
        let large = compiled(json!({"items": {"type": "string"}}));
        let problems = large.check(&json!(vec![1; 200_000]).to_string()).unwrap_err();
        assert_eq!((problems.len(), problems[0].code), (1, "schema"));
    }

    #[test]
    fn texts_that_cannot_be_kept_are_told_with_their_place() {
        let problems = Schema::compile(r#"{"properties": {"a": {"description": "x\u0000"}}}"#).unwrap_err();
        assert_eq!((&*problems[0].pointer, problems[0].code), ("/properties/a/description", "bad_text"));
        assert!(Schema::compile(r#"{"description": "C:\\u0000dir"}"#).is_ok());
    }

    #[test]
    fn schemas_are_kept_by_revision_and_no_more_than_are_wanted() {
        let mut schemas = Schemas::new(2);
        let schema = Arc::new(compiled(json!(true)));
        schemas.keep("a", 1, schema.clone());
        assert!(schemas.get("a", 1).is_some() && schemas.get("a", 2).is_none());
        for event_type in ["b", "c", "d"] {
            schemas.keep(event_type, 1, schema.clone());
        }
        assert!(schemas.compiled.len() <= 2);
    }
}
