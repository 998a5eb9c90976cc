//! Extracts from JSON what patterns use: the values under their paths, and nothing else.
//!
//! A dot in a name leads into an object, in patterns and events alike: `{"a.b": 1}` is
//! `{"a": {"b": 1}}`.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    decimal::Decimal,
    object::Object,
    part::Part,
    paths::Paths,
    scalar::Scalar,
    scan::{Kind, Scan},
};

impl<'a> Part<'a> {
    /// Reads a JSON text that has been checked.
    pub(crate) fn read(text: &'a str, paths: &Paths) -> Self {
        Self::scan(&mut Scan::new(text), paths)
    }

    fn scan(scan: &mut Scan<'a>, paths: &Paths) -> Self {
        match scan.kind() {
            Kind::Object => Self::scan_object(scan, paths),
            Kind::Array => Self::scan_array(scan, paths),
            Kind::Text => Self::Scalar(Scalar::Text(scan.text())),
            Kind::Number => Self::Scalar(Scalar::Number(Decimal::read(scan.word()))),
            Kind::Bool(truth) => {
                scan.word();
                Self::Scalar(Scalar::Bool(truth))
            }
            Kind::Null => {
                scan.word();
                Self::Scalar(Scalar::Null)
            }
        }
    }

    /// Goes no deeper than the paths do.
    fn scan_object(scan: &mut Scan<'a>, paths: &Paths) -> Self {
        let mut object = Object::default();
        scan_fields(scan, paths, &mut object);
        object.part()
    }

    /// Counts the arrays that it is in instead of calling itself: they may be a million deep.
    fn scan_array(scan: &mut Scan<'a>, paths: &Paths) -> Self {
        let mut items = Vec::new();
        let mut depth = 1;
        scan.enter();
        while depth > 0 {
            if !scan.next_item() {
                depth -= 1;
            } else if scan.kind() == Kind::Array {
                scan.enter();
                depth += 1;
            } else {
                items.push(Self::scan(scan, paths));
            }
        }
        Self::Array(items)
    }

    /// The same of a JSON value.
    pub(crate) fn of(value: &'a Value, paths: &Paths) -> Self {
        match value {
            Value::Null => Self::Scalar(Scalar::Null),
            Value::Bool(truth) => Self::Scalar(Scalar::Bool(*truth)),
            Value::Number(number) => {
                let decimal = Decimal::read(&number.to_string());
                Self::Scalar(if number.is_f64() { Scalar::Rounded(decimal) } else { Scalar::Number(decimal) })
            }
            Value::String(text) => Self::Scalar(Scalar::Text(text.into())),
            Value::Array(items) => {
                let mut flat = Vec::new();
                flatten(items, paths, &mut flat);
                Self::Array(flat)
            }
            Value::Object(fields) => {
                let mut object = Object::default();
                for (name, value) in fields {
                    if let Some(below) = paths.at(name) {
                        object.put(name.as_str().into(), Self::of(value, below));
                    }
                }
                object.part()
            }
        }
    }

    fn into_owned(self) -> Part<'static> {
        match self {
            Self::Scalar(scalar) => Part::Scalar(scalar.into_owned()),
            Self::Array(items) => Part::Array(items.into_iter().map(Part::into_owned).collect()),
            Self::Object(fields) => {
                let owned =
                    |(name, part): (Cow<'_, str>, Part<'_>)| (name.into_owned().into(), part.into_owned());
                Part::Object(fields.into_iter().map(owned).collect())
            }
        }
    }
}

/// Puts the fields in use of the object that comes next.
fn scan_fields<'a>(scan: &mut Scan<'a>, paths: &Paths, object: &mut Object<'a>) {
    scan.enter();
    while let Some(name) = scan.next_field() {
        match paths.at(&name) {
            Some(below) => object.put(name, Part::scan(scan, below)),
            None => {
                scan.skip();
            }
        }
    }
}

fn flatten<'a>(items: &'a [Value], paths: &Paths, flat: &mut Vec<Part<'a>>) {
    for item in items {
        match item {
            Value::Array(inner) => flatten(inner, paths, flat),
            other => flat.push(Part::of(other, paths)),
        }
    }
}

/// Takes the fields of an event's body that patterns use. Each method calls what gives the value only if a
/// pattern uses the field.
pub struct BodyReader<'p, 'e> {
    paths: &'p Paths,
    object: Object<'e>,
}

impl<'p, 'e> BodyReader<'p, 'e> {
    pub(crate) fn new(paths: &'p Paths) -> Self {
        Self { paths, object: Object::default() }
    }

    /// What was taken.
    pub(crate) fn body(self) -> Part<'e> {
        self.object.part()
    }

    /// A field that holds a text.
    pub fn text(&mut self, name: &'static str, text: impl FnOnce() -> Cow<'e, str>) {
        if self.paths.at(name).is_some() {
            self.object.put(name.into(), Part::Scalar(Scalar::Text(text())));
        }
    }

    /// A field whose value is given as JSON text, which must have been checked.
    pub fn json(&mut self, name: &'static str, json: impl FnOnce() -> Cow<'e, str>) {
        if let Some(below) = self.paths.at(name) {
            let part = match json() {
                Cow::Borrowed(json) => Part::read(json, below),
                Cow::Owned(json) => Part::read(&json, below).into_owned(),
            };
            self.object.put(name.into(), part);
        }
    }

    /// All fields of a JSON object, given as text that must have been checked.
    pub fn object(&mut self, json: &'e str) {
        scan_fields(&mut Scan::new(json), self.paths, &mut self.object);
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::pattern::Pattern;

    fn paths(pattern: &str) -> Paths {
        let mut paths = Paths::default();
        paths.add(&Pattern::parse(pattern).unwrap().tree);
        paths
    }

    #[test]
    fn only_what_patterns_name_is_read() {
        let paths = paths(r#"{"a": {"b": ["x"]}, "c": [1]}"#);
        let text = r#"{"a": [[{"b": "x", "z": 1}, 5]], "c": 1, "d": {"a": 2}, "c": 2}"#;
        let part = Part::read(text, &paths);
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(part, Part::of(&value, &paths));
        assert_eq!(part.field("d"), None);
        let two = Part::Scalar(Scalar::Number(Decimal::read("2")));
        assert_eq!(part.field("c"), Some(&two));
    }

    #[test]
    fn a_dot_in_a_name_leads_into_an_object() {
        let paths = paths(r#"{"a": {"b": ["x"], "c": {"d": [1]}}}"#);
        for (text, same) in [
            (r#"{"a.b": 1}"#, r#"{"a": {"b": 1}}"#),
            (r#"{"a.c": {"d": 1}, "a": {"b": 2}}"#, r#"{"a": {"b": 2, "c": {"d": 1}}}"#),
            (r#"{"a.b": 1, "a": {"b": 2}}"#, r#"{"a": {"b": [2, 1]}}"#),
            (r#"{"a.c.d": 1, "a.b": 2}"#, r#"{"a": {"c": {"d": 1}, "b": 2}}"#),
            (r#"{"a.x": 1}"#, "{}"),
        ] {
            assert_eq!(Part::read(text, &paths), Part::read(same, &paths), "{text}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test bounds how long it takes")]
    fn twenty_thousand_fields_in_use_take_no_square_of_time() {
        let name = |number: usize| format!("field_{number}");
        let list = |dot: &str| {
            let fields: Vec<_> = (0..20_000).map(|number| format!("\"{dot}{}\":1", name(number))).collect();
            format!("{{{}}}", fields.join(","))
        };
        let mut paths = Paths::default();
        for number in 0..20_000 {
            paths.add(
                &Pattern::parse(&format!(r#"{{"{0}": [1], "a": {{"{0}": [1]}}}}"#, name(number)))
                    .unwrap()
                    .tree,
            );
        }
        let started = std::time::Instant::now();
        for (text, at) in [(list(""), ""), (list("a."), "a")] {
            let part = Part::read(&text, &paths);
            let object = if at.is_empty() { &part } else { part.field(at).unwrap() };
            assert!((0..20_000).all(|number| object.field(&name(number)).is_some()));
        }
        // Some tens of milliseconds; a minute and more if every field looks at every other.
        assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    }

    #[test]
    fn arrays_may_be_a_million_deep() {
        let paths = paths(r#"{"a": ["x"]}"#);
        let text = format!(r#"{{"b":{0}{1},"a":{0}"x"{1}}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
        let seen = Part::read(&text, &paths);
        assert_eq!(seen.field("a").unwrap().elements().len(), 1);
    }
}
