//! Builds an object of the fields that are read of an event.

use std::{borrow::Cow, cmp::Ordering};

use super::part::{Fields, Part};

/// An object that is being read. The cost grows with the number of its fields only: an event may have as many
/// as fit into a message.
#[derive(Default)]
pub(crate) struct Object<'a> {
    fields: Fields<'a>,
    /// Fields with a dot in their name.
    dotted: Fields<'a>,
}

impl<'a> Object<'a> {
    pub(crate) fn put(&mut self, name: Cow<'a, str>, part: Part<'a>) {
        let fields = if name.contains('.') { &mut self.dotted } else { &mut self.fields };
        fields.push((name, part));
    }

    pub(crate) fn part(mut self) -> Part<'a> {
        sort(&mut self.fields);
        sort(&mut self.dotted);
        Part::Object(joined(self.fields, led_into(self.dotted)))
    }
}

/// Of several fields with one name the last counts, as in serde_json.
fn sort(fields: &mut Fields<'_>) {
    fields.reverse();
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    fields.dedup_by(|(later, _), (kept, _)| later == kept);
}

/// Turns sorted fields with a dot in their name into objects, one for each first name.
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
    // Whole names sort "a-b.c" before "a.b"; first names sort "a" before "a-b".
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    fields
}

/// The fields of both, in order; the values of a field that both have are merged.
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
                    all.push((name, merged(part, other)));
                }
            }
        }
    }
    all.extend(fields);
    all.extend(others);
    all
}

/// Two values of one field: two objects become one with the fields of both, others an array of both.
fn merged<'a>(part: Part<'a>, other: Part<'a>) -> Part<'a> {
    match (part, other) {
        (Part::Object(fields), Part::Object(others)) => Part::Object(joined(fields, others)),
        (part, other) => Part::Array([part, other].into_iter().flat_map(items).collect()),
    }
}

fn items(part: Part<'_>) -> Vec<Part<'_>> {
    match part {
        Part::Array(items) => items,
        one => vec![one],
    }
}
