//! JSON Schemas of event types: compiled once, within bounds, and never fetched from anywhere.
//!
//! What a schema or the data costs is bounded by their sizes: regular expressions run in linear time,
//! so those with look-around or back-references are refused, and the problems that are told are few.

use std::{collections::HashMap, sync::Arc};

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::problem::{Problem, Problems};

/// The largest schema in bytes.
pub const MOST_BYTES: usize = 64 << 10;
/// The most problems that are told of data.
const MOST_PROBLEMS: usize = 20;
/// How deep a schema may be nested.
const MOST_DEPTH: usize = 32;
/// The memory that a schema's regular expressions take, each.
const REGEX_BYTES: usize = 1 << 20;

/// A compiled JSON Schema, draft 4 to 2020-12 by its `$schema`, the latter without one.
#[derive(Debug)]
pub struct Schema(Validator);

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
        let regexes = PatternOptions::regex().size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES);
        match jsonschema::options().offline().with_pattern_options(regexes).build(&schema) {
            Ok(validator) => Some(Self(validator)),
            Err(error) => {
                let found = schema.pointer(error.instance_path().as_str()).unwrap_or(&schema).to_string();
                problems.add(error.instance_path().as_str(), "bad_schema", &found, error.to_string());
                None
            }
        }
    }

    /// Checks an event's data, a JSON text.
    ///
    /// # Errors
    /// What is wrong with it, each with a pointer into the data; no more than twenty.
    pub fn check(&self, data: &str) -> Result<(), Vec<Problem>> {
        let mut problems = Problems::default();
        match serde_json::from_str::<Value>(data) {
            Ok(value) => {
                for error in self.0.iter_errors(&value).take(MOST_PROBLEMS) {
                    let found = error.instance().to_string();
                    let message = error.masked_with("this value").to_string();
                    problems.add(error.instance_path().as_str(), "schema", &found, message);
                }
            }
            Err(error) => problems.add("", "not_json", data, format!("this is not JSON ({error})")),
        }
        problems.or(())
    }
}

impl Schemas {
    /// Keeps at most so many.
    pub fn new(most: usize) -> Self {
        Self { most, compiled: HashMap::new() }
    }

    /// The schema of an event type, compiled from `json` unless this revision was before.
    ///
    /// # Errors
    /// As [`Schema::compile`].
    pub fn get(&mut self, event_type: &str, revision: i64, json: &str) -> Result<Arc<Schema>, Vec<Problem>> {
        match self.compiled.get(event_type) {
            Some((known, schema)) if *known == revision => return Ok(schema.clone()),
            _ => {}
        }
        let schema = Arc::new(Schema::compile(json)?);
        if self.compiled.len() >= self.most {
            self.compiled.clear();
        }
        self.compiled.insert(event_type.to_owned(), (revision, schema.clone()));
        Ok(schema)
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
    fn a_schema_is_compiled_once_for_each_revision() {
        let mut schemas = Schemas::new(2);
        let first = schemas.get("a", 1, "{}").unwrap();
        assert!(Arc::ptr_eq(&first, &schemas.get("a", 1, "not read").unwrap()));
        assert!(!Arc::ptr_eq(&first, &schemas.get("a", 2, "{}").unwrap()));
        for event_type in ["b", "c", "d"] {
            schemas.get(event_type, 1, "true").unwrap();
        }
        assert!(schemas.compiled.len() <= 2);
    }
}
