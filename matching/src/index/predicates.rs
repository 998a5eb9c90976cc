//! The predicates of all rules, each kept once however many rules have it: many subscribers ask for the
//! same.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use hashbrown::HashTable;

use super::predicate::{Lists, Predicate};
use crate::rule::Rule;

/// A table of shared predicates.
#[derive(Debug, Default)]
pub(super) struct Predicates {
    known: HashTable<Arc<Predicate>>,
    hasher: RandomState,
}

impl Predicates {
    /// The rule's predicate; `None` if its keys say everything. The index alone holds the result, so that
    /// its reference count tells how many rules use it.
    pub(super) fn shared(&mut self, rule: &Rule) -> Option<Arc<Predicate>> {
        let lists = Lists::of(rule);
        let tree = rule.pattern.as_ref().map(|pattern| &*pattern.tree);
        if lists.is_none() && tree.is_none() {
            return None;
        }
        let Self { known, hasher } = self;
        let parts = (lists.as_ref(), tree);
        let hash = hasher.hash_one(parts);
        let found = known.find(hash, |other| other.parts() == parts).cloned();
        Some(found.unwrap_or_else(|| {
            let predicate = Arc::new(Predicate::new(lists, tree));
            known.insert_unique(hash, predicate.clone(), |other| hasher.hash_one(other.parts()));
            predicate
        }))
    }

    /// Drops those of these predicates that no rule has any more.
    pub(super) fn release(&mut self, released: Vec<Arc<Predicate>>) {
        for predicate in released {
            let hash = self.hasher.hash_one(predicate.parts());
            // The table's reference and this one.
            let is_unused =
                |known: &Arc<Predicate>| Arc::ptr_eq(known, &predicate) && Arc::strong_count(known) == 2;
            if let Ok(entry) = self.known.find_entry(hash, is_unused) {
                entry.remove();
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
