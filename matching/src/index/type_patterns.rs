//! The event type patterns that match an event type: exact ones are found by hash, those with a `*` by the
//! literal before the first `*` or, if there is none, behind the last.

use std::collections::HashMap;

use super::{
    by_length::{ByLength, first, last},
    type_numbers::TypeNumber,
};
use crate::event_type::{TypePattern, is_reserved};

#[derive(Debug, Default)]
pub(super) struct TypePatterns {
    patterns: HashMap<TypeNumber, TypePattern, ahash::RandomState>,
    exact: HashMap<Box<str>, TypeNumber, ahash::RandomState>,
    beginnings: ByLength<Vec<TypeNumber>>,
    ends: ByLength<Vec<TypeNumber>>,
}

/// How a pattern is found.
enum Place<'p> {
    Exact(&'p str),
    Beginning(&'p str),
    End(&'p str),
}

impl TypePatterns {
    pub(super) fn add(&mut self, number: TypeNumber, pattern: &TypePattern) {
        match place(pattern) {
            Place::Exact(text) => {
                self.exact.insert(text.into(), number);
            }
            Place::Beginning(text) => self.beginnings.at(first(text)).push(number),
            Place::End(text) => self.ends.at(last(text)).push(number),
        }
        self.patterns.insert(number, pattern.clone());
    }

    pub(super) fn remove(&mut self, number: TypeNumber) {
        let Some(pattern) = self.patterns.remove(&number) else { return };
        let without = |numbers: &mut Vec<TypeNumber>| {
            numbers.retain(|other| *other != number);
            numbers.is_empty()
        };
        match place(&pattern) {
            Place::Exact(text) => {
                self.exact.remove(text);
            }
            Place::Beginning(text) => self.beginnings.change(first(text), without),
            Place::End(text) => self.ends.change(last(text), without),
        }
    }

    /// The numbers of all patterns that want the type, in order, [`TypeNumber::ANY`] included unless the
    /// type is reserved.
    pub(super) fn wanting(&self, event_type: &str) -> Vec<TypeNumber> {
        let mut found = Vec::with_capacity(8);
        if !is_reserved(event_type) {
            found.push(TypeNumber::ANY);
        }
        found.extend(self.exact.get(event_type));
        let mut check = |numbers: &Vec<TypeNumber>| {
            found.extend(numbers.iter().filter(|number| self.patterns[number].wants(event_type)));
        };
        self.beginnings.beginning(event_type.as_bytes(), &mut check);
        self.ends.ending(event_type.as_bytes(), &mut check);
        found.sort_unstable();
        found
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
            && self.exact.is_empty()
            && self.beginnings.is_empty()
            && self.ends.is_empty()
    }
}

fn place(pattern: &TypePattern) -> Place<'_> {
    let text = pattern.as_str();
    match (text.split_once('*'), text.rsplit_once('*')) {
        (Some(("", _)), Some((_, end))) => Place::End(end),
        (Some((beginning, _)), _) => Place::Beginning(beginning),
        (None, _) => Place::Exact(text),
    }
}
