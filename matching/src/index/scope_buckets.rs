//! The entries of one scope (a project, a company, or all), by event type pattern.

use std::{collections::HashMap, ops::Range};

use super::{bucket::Bucket, entry::Entry, indexed_rule::IndexedRule, type_numbers::TypeNumber};

/// Up to so many entries of a scope are kept in one list.
const SMALL: usize = 64;
/// A short list grows by so many places: doubling it would leave a third of the memory empty.
const GROWTH: usize = 4;

#[derive(Debug)]
pub(super) enum ScopeBuckets {
    Small(SmallScope),
    #[expect(clippy::box_collection, reason = "most scopes are small, and there are many of those")]
    Large(Box<HashMap<TypeNumber, Bucket, ahash::RandomState>>),
}

/// Entries with the number of an event type pattern of each, sorted by number. Two vectors, so that a search
/// among the numbers reads nothing else from memory.
#[derive(Debug, Default)]
pub(super) struct SmallScope {
    numbers: Vec<TypeNumber>,
    entries: Vec<Entry>,
}

impl Default for ScopeBuckets {
    fn default() -> Self {
        Self::Small(SmallScope::default())
    }
}

impl ScopeBuckets {
    pub(super) fn insert(&mut self, rule: &IndexedRule) {
        if let Self::Small(small) = self
            && small.numbers.len() + rule.types.used().len() > SMALL
        {
            *self = Self::Large(Box::new(small.buckets()));
        }
        for number in rule.types.distinct() {
            match self {
                Self::Small(small) => small.insert(number, &rule.entry),
                Self::Large(buckets) => buckets.entry(number).or_default().insert(&rule.entry),
            }
        }
    }

    /// Whether nothing is left.
    pub(super) fn remove(&mut self, rule: &IndexedRule) -> bool {
        for number in rule.types.distinct() {
            match self {
                Self::Small(small) => small.remove(number, &rule.entry),
                Self::Large(buckets) => {
                    if buckets.get_mut(&number).is_some_and(|bucket| bucket.remove(&rule.entry)) {
                        buckets.remove(&number);
                    }
                }
            }
        }
        self.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Small(small) => small.numbers.is_empty(),
            Self::Large(buckets) => buckets.is_empty(),
        }
    }
}

impl SmallScope {
    /// The entries of these event type patterns.
    pub(super) fn of_types(&self, types: &[TypeNumber]) -> impl Iterator<Item = &Entry> {
        types.iter().flat_map(move |number| &self.entries[self.places(*number)])
    }

    fn buckets(&self) -> HashMap<TypeNumber, Bucket, ahash::RandomState> {
        let mut buckets = HashMap::<TypeNumber, Bucket, ahash::RandomState>::default();
        for (number, entry) in self.numbers.iter().zip(&self.entries) {
            buckets.entry(*number).or_default().insert(entry);
        }
        buckets
    }

    /// An equal entry is kept once, however often it is inserted.
    fn insert(&mut self, number: TypeNumber, entry: &Entry) {
        let places = self.places(number);
        if self.entries[places.clone()].contains(entry) {
            return;
        }
        if self.numbers.len() == self.numbers.capacity() {
            self.numbers.reserve_exact(GROWTH);
            self.entries.reserve_exact(GROWTH);
        }
        self.numbers.insert(places.end, number);
        self.entries.insert(places.end, entry.clone());
    }

    fn remove(&mut self, number: TypeNumber, entry: &Entry) {
        if let Some(place) = self.places(number).find(|place| self.entries[*place] == *entry) {
            self.numbers.remove(place);
            self.entries.remove(place);
        }
    }

    /// Counts instead of searching: no step depends on memory that the previous step has fetched.
    fn places(&self, number: TypeNumber) -> Range<usize> {
        let start = self.numbers.iter().filter(|known| **known < number).count();
        let count = self.numbers.iter().filter(|known| **known == number).count();
        start..start + count
    }
}
