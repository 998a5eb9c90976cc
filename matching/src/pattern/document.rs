//! What patterns see of an event: the values under the paths that they name, and nothing else.
//!
//! A dot in a name leads into an object, in patterns and events alike: `{"a.b": 1}` is
//! `{"a": {"b": 1}}`.

use std::{borrow::Cow, cmp::Ordering, collections::HashMap};

use serde_json::Value;

use super::{
    decimal::Decimal,
    scan::{Kind, Scan},
    tree::{Field, Tree},
};
use crate::event::Event;

/// Bytes of a text that is no longer than usual.
const LONG: usize = 64;

/// The names that patterns use, as a tree, each with how many use it.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    below: HashMap<Box<str>, Paths, ahash::RandomState>,
    uses: usize,
}

/// A part of an event. Arrays inside arrays are one array.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part<'a> {
    Scalar(Scalar<'a>),
    Array(Vec<Part<'a>>),
    /// Only the fields in use, in the order of their names.
    Object(Vec<(Cow<'a, str>, Part<'a>)>),
}

/// A value that holds no others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Decimal),
    /// A number that serde_json has rounded to a double.
    Rounded(Decimal),
    Text(Cow<'a, str>),
}

impl Paths {
    pub(crate) fn add(&mut self, tree: &Tree) {
        tree.branches().for_each(|fields| self.add_fields(fields));
    }

    /// Takes a tree away that was added.
    pub(crate) fn remove(&mut self, tree: &Tree) {
        tree.branches().for_each(|fields| self.remove_fields(fields));
    }

    /// What is used below the name, if the name is.
    pub(crate) fn at(&self, name: &str) -> Option<&Paths> {
        match self.below.get(name) {
            None if name.contains('.') => name.split('.').try_fold(self, |paths, name| paths.below.get(name)),
            found => found,
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.below.is_empty()
    }

    fn add_fields(&mut self, fields: &[Field]) {
        for field in fields {
            let mut paths = &mut *self;
            for name in field.path.split('.') {
                if !paths.below.contains_key(name) {
                    paths.below.insert(name.into(), Self::default());
                }
                paths = paths.below.get_mut(name).expect("it is there now");
                paths.uses += 1;
            }
            paths.add_fields(&field.fields);
        }
    }

    fn remove_fields(&mut self, fields: &[Field]) {
        fields.iter().for_each(|field| self.remove_field(&field.path, &field.fields));
    }

    fn remove_field(&mut self, path: &str, fields: &[Field]) {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let Some(paths) = self.below.get_mut(name) else { return };
        match rest {
            Some(rest) => paths.remove_field(rest, fields),
            None => paths.remove_fields(fields),
        }
        paths.uses -= 1;
        if paths.uses == 0 {
            self.below.remove(name);
        }
    }
}

impl<'a> Part<'a> {
    /// Reads a JSON text that has been checked.
    pub(crate) fn read(text: &'a str, paths: &Paths) -> Self {
        Self::scan(&mut Scan::new(text), paths)
    }

    /// Reads the fields of an event's body that patterns use.
    pub(crate) fn of_event(event: &'a dyn Event, paths: &Paths) -> Self {
        let mut reader = BodyReader { paths, object: Object::default() };
        event.read_body(&mut reader);
        reader.object.part()
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
        object.scan(scan, paths);
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

    /// Both: of two objects the fields of both, else an array that holds them.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Object(fields), Self::Object(others)) => Self::Object(joined(fields, others)),
            (one, other) => Self::Array([one, other].into_iter().flat_map(Self::items).collect()),
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

    fn items(self) -> Vec<Self> {
        match self {
            Self::Array(items) => items,
            one => vec![one],
        }
    }

    /// The value of an object's field.
    pub(crate) fn field(&self, name: &str) -> Option<&Part<'a>> {
        match self {
            Self::Object(fields) => {
                let place = fields.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
                Some(&fields[place].1)
            }
            Self::Array(_) | Self::Scalar(_) => None,
        }
    }

    /// The value, if it holds no others.
    pub(crate) fn scalar(&self) -> Option<&Scalar<'a>> {
        match self {
            Self::Scalar(scalar) => Some(scalar),
            Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// What it holds as an array, or itself.
    pub(crate) fn elements(&self) -> &[Part<'a>] {
        match self {
            Self::Array(items) => items,
            Self::Object(_) | Self::Scalar(_) => std::slice::from_ref(self),
        }
    }

    /// How much more there is in it to be compared than one short value in each field: the values in its
    /// arrays, and the length of its texts.
    pub(crate) fn load(&self) -> usize {
        let below: usize = match self {
            Self::Scalar(_) => 0,
            Self::Array(items) => items.iter().map(Part::load).sum(),
            Self::Object(fields) => fields.iter().map(|(_, part)| part.load()).sum(),
        };
        self.own_load() + below
    }

    /// The same without what is in its elements and fields.
    pub(crate) fn own_load(&self) -> usize {
        match self {
            Self::Scalar(scalar) => scalar.load(),
            Self::Array(items) => items.len(),
            Self::Object(_) => 0,
        }
    }
}

impl Scalar<'_> {
    /// How many times as long as a usual one it is, beyond that.
    pub(crate) fn load(&self) -> usize {
        match self {
            Self::Text(text) => text.len() / LONG,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Rounded(_) => 0,
        }
    }

    fn into_owned(self) -> Scalar<'static> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(truth) => Scalar::Bool(truth),
            Self::Number(number) => Scalar::Number(number),
            Self::Rounded(number) => Scalar::Rounded(number),
            Self::Text(text) => Scalar::Text(text.into_owned().into()),
        }
    }
}

/// Takes the fields of an event's body that patterns use. Each method calls what gives the value only if a
/// pattern uses the field.
pub struct BodyReader<'p, 'e> {
    paths: &'p Paths,
    object: Object<'e>,
}

impl<'e> BodyReader<'_, 'e> {
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
        self.object.scan(&mut Scan::new(json), self.paths);
    }
}

type Fields<'a> = Vec<(Cow<'a, str>, Part<'a>)>;

/// An object that is being read. What that costs grows with its fields, and with nothing else: an event may
/// have as many as fit into it.
#[derive(Default)]
struct Object<'a> {
    fields: Fields<'a>,
    /// Those with a dot in their name.
    dotted: Fields<'a>,
}

impl<'a> Object<'a> {
    fn put(&mut self, name: Cow<'a, str>, part: Part<'a>) {
        let fields = if name.contains('.') { &mut self.dotted } else { &mut self.fields };
        fields.push((name, part));
    }

    /// Puts the fields in use of an object that begins here.
    fn scan(&mut self, scan: &mut Scan<'a>, paths: &Paths) {
        scan.enter();
        while let Some(name) = scan.next_field() {
            match paths.at(&name) {
                Some(below) => self.put(name, Part::scan(scan, below)),
                None => {
                    scan.skip();
                }
            }
        }
    }

    fn part(mut self) -> Part<'a> {
        sort(&mut self.fields);
        sort(&mut self.dotted);
        Part::Object(joined(self.fields, led_into(self.dotted)))
    }
}

/// The last of several fields with one name counts, as in serde_json.
fn sort(fields: &mut Fields<'_>) {
    fields.reverse();
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    fields.dedup_by(|(later, _), (kept, _)| later == kept);
}

/// Fields with a dot in their name, which are sorted, as objects: those with one first name lie together.
fn led_into<'a>(dotted: Fields<'a>) -> Fields<'a> {
    let mut objects: Vec<(Cow<'a, str>, Object<'a>)> = Vec::new();
    for (name, part) in dotted {
        let (first, rest) = name.split_once('.').unwrap_or((&name, ""));
        let rest = Cow::Owned(rest.to_owned());
        match objects.last_mut() {
            Some((known, object)) if *known == first => object.put(rest, part),
            _ => {
                let mut object = Object::default();
                object.put(rest, part);
                objects.push((first.to_owned().into(), object));
            }
        }
    }
    let mut fields: Fields<'a> = objects.into_iter().map(|(name, object)| (name, object.part())).collect();
    // "a-b.c" stands before "a.b" in the order of whole names, and behind it in that of first names.
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    fields
}

/// The fields of both, in order; what both have is joined.
fn joined<'a>(fields: Fields<'a>, others: Fields<'a>) -> Fields<'a> {
    if others.is_empty() {
        return fields;
    }
    let mut all = Vec::with_capacity(fields.len() + others.len());
    let (mut fields, mut others) = (fields.into_iter().peekable(), others.into_iter().peekable());
    while let (Some((name, _)), Some((other, _))) = (fields.peek(), others.peek()) {
        match name.cmp(other) {
            Ordering::Less => all.extend(fields.next()),
            Ordering::Greater => all.extend(others.next()),
            Ordering::Equal => {
                if let (Some((name, part)), Some((_, other))) = (fields.next(), others.next()) {
                    all.push((name, part.and(other)));
                }
            }
        }
    }
    all.extend(fields);
    all.extend(others);
    all
}

fn flatten<'a>(items: &'a [Value], paths: &Paths, flat: &mut Vec<Part<'a>>) {
    for item in items {
        match item {
            Value::Array(inner) => flatten(inner, paths, flat),
            other => flat.push(Part::of(other, paths)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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

    #[test]
    fn paths_that_nobody_uses_any_more_are_forgotten() {
        let one = Pattern::parse(r#"{"a": {"b": ["x"]}, "$or": [{"c": [1]}, {"d": [2]}]}"#).unwrap();
        let other = Pattern::parse(r#"{"a": {"c": ["x"]}}"#).unwrap();
        let mut paths = Paths::default();
        paths.add(&one.tree);
        paths.add(&other.tree);
        paths.remove(&one.tree);
        assert!(paths.at("a.b").is_none() && paths.at("a").unwrap().at("c").is_some());
        paths.remove(&other.tree);
        assert!(paths.is_empty());
        let empty = json!({});
        assert_eq!(Part::of(&empty, &paths), Part::Object(Vec::new()));
    }
}
