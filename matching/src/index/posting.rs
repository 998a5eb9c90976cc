//! The entries under one key of an index.

use hashbrown::HashSet;

use super::entry::Entry;

/// One entry or many; removing one takes constant time.
#[derive(Debug, Default)]
pub(super) enum Posting {
    #[default]
    None,
    One(Entry),
    Many(Box<HashSet<Entry, ahash::RandomState>>),
}

impl Posting {
    /// An equal entry is kept once, however often it is inserted.
    pub(super) fn insert(&mut self, entry: &Entry) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(entry.clone()),
            Self::One(known) if known == *entry => Self::One(known),
            Self::One(known) => Self::Many(Box::new([known, entry.clone()].into_iter().collect())),
            Self::Many(mut known) => {
                known.insert(entry.clone());
                Self::Many(known)
            }
        };
    }

    /// Whether nothing is left.
    pub(super) fn remove(&mut self, entry: &Entry) -> bool {
        match self {
            Self::None => {}
            Self::One(known) if known == entry => *self = Self::None,
            Self::One(_) => {}
            Self::Many(known) => {
                known.remove(entry);
                if known.is_empty() {
                    *self = Self::None;
                }
            }
        }
        self.is_empty()
    }

    pub(super) fn each<'p>(&'p self, found: impl FnMut(&'p Entry)) {
        match self {
            Self::None => {}
            Self::One(entry) => std::iter::once(entry).for_each(found),
            Self::Many(entries) => entries.iter().for_each(found),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }
}
