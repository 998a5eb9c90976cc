//! What rules ask beyond their places, each once however many rules ask it: people ask for the same
//! things.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use hashbrown::HashTable;

use super::wish::{Names, Rest};
use crate::rule::Rule;

/// The rests of all rules.
#[derive(Debug, Default)]
pub(super) struct Rests {
    rests: HashTable<Arc<Rest>>,
    hasher: RandomState,
}

impl Rests {
    /// The rule's, if its place doesn't say everything. Held by the index alone, so that its count tells
    /// its uses.
    pub(super) fn shared(&mut self, rule: &Rule) -> Option<Arc<Rest>> {
        let names = Names::of(rule);
        let tree = rule.pattern.as_ref().map(|pattern| &*pattern.tree);
        if names.is_none() && tree.is_none() {
            return None;
        }
        let Self { rests, hasher } = self;
        let parts = (names.as_ref(), tree);
        let hash = hasher.hash_one(parts);
        let known = rests.find(hash, |known| known.parts() == parts).cloned();
        Some(known.unwrap_or_else(|| {
            let rest = Arc::new(Rest::new(names, tree));
            rests.insert_unique(hash, rest.clone(), |known| hasher.hash_one(known.parts()));
            rest
        }))
    }

    /// Forgets those of these that no rule has any more.
    pub(super) fn release(&mut self, rests: Vec<Arc<Rest>>) {
        for rest in rests {
            let hash = self.hasher.hash_one(rest.parts());
            let is_unused = |known: &Arc<Rest>| Arc::ptr_eq(known, &rest) && Arc::strong_count(known) == 2;
            if let Ok(entry) = self.rests.find_entry(hash, is_unused) {
                entry.remove();
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rests.is_empty()
    }
}
