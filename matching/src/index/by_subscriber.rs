//! Every indexed rule, found by its subscriber.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use hashbrown::HashTable;
use uuid::Uuid;

use super::indexed_rule::IndexedRule;

/// A multimap from subscribers to their rules.
#[derive(Debug, Default)]
pub(super) struct BySubscriber {
    rules: HashTable<Arc<IndexedRule>>,
    hasher: RandomState,
}

impl BySubscriber {
    pub(super) fn insert(&mut self, rule: IndexedRule) -> Arc<IndexedRule> {
        let rule = Arc::new(rule);
        let hash = self.hasher.hash_one(rule.entry.subscriber);
        let Self { rules, hasher } = self;
        rules.insert_unique(hash, rule.clone(), |other| hasher.hash_one(other.entry.subscriber));
        rule
    }

    /// Removes and returns all rules of a subscriber.
    pub(super) fn take(&mut self, subscriber: Uuid) -> Vec<Arc<IndexedRule>> {
        let hash = self.hasher.hash_one(subscriber);
        let mut taken = Vec::new();
        while let Ok(found) = self.rules.find_entry(hash, |rule| rule.entry.subscriber == subscriber) {
            taken.push(found.remove().0);
        }
        taken
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}
