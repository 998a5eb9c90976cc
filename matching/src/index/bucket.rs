//! A bucket: the entries of one scope and one event type pattern.

use super::{by_field::ByField, entry::Entry, posting::Posting};
use crate::pattern::{Steps, part::Part, steps::Spent};

/// Up to so many entries are all candidates; more are found by conditions.
const SMALL: usize = 16;

#[derive(Debug)]
pub(super) enum Bucket {
    Small(Vec<Entry>),
    Large(Box<LargeBucket>),
}

/// Many entries; those with a pattern by conditions that it requires.
#[derive(Debug, Default)]
pub(super) struct LargeBucket {
    /// Entries without a pattern, or whose pattern requires only that fields are absent.
    unconditional: Posting,
    conditional: ByField,
}

impl Default for Bucket {
    fn default() -> Self {
        Self::Small(Vec::new())
    }
}

impl Bucket {
    /// An equal entry is kept once, however often it is inserted.
    pub(super) fn insert(&mut self, entry: &Entry) {
        if let Self::Small(entries) = self
            && entries.len() >= SMALL
        {
            let mut large = LargeBucket::default();
            entries.iter().for_each(|entry| large.insert(entry));
            *self = Self::Large(Box::new(large));
        }
        match self {
            Self::Small(entries) if entries.contains(entry) => {}
            Self::Small(entries) => entries.push(entry.clone()),
            Self::Large(large) => large.insert(entry),
        }
    }

    /// Whether nothing is left.
    pub(super) fn remove(&mut self, entry: &Entry) -> bool {
        match self {
            Self::Small(entries) => {
                entries.retain(|known| known != entry);
                entries.is_empty()
            }
            Self::Large(large) => {
                large.remove(entry);
                large.unconditional.is_empty() && large.conditional.is_empty()
            }
        }
    }

    /// Calls `found` with each entry that may match, some more than once. `body` reads the event's body.
    pub(super) fn candidates<'s, 'b, 'e: 'b>(
        &'s self,
        body: impl FnOnce() -> &'b Part<'e>,
        steps: &Steps,
        found: &mut impl FnMut(&'s Entry),
    ) -> Result<(), Spent> {
        match self {
            Self::Small(entries) => entries.iter().for_each(found),
            Self::Large(large) => {
                large.unconditional.each(&mut *found);
                if !large.conditional.is_empty() {
                    large.conditional.met_by(body(), steps, found)?;
                }
            }
        }
        Ok(())
    }
}

impl LargeBucket {
    fn insert(&mut self, entry: &Entry) {
        if !self.conditional.insert(entry) {
            self.unconditional.insert(entry);
        }
    }

    fn remove(&mut self, entry: &Entry) {
        if !self.conditional.remove(entry) {
            self.unconditional.remove(entry);
        }
    }
}
