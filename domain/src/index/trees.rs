//! Patterns that are there once, however many rules have them: people ask for the same things.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use hashbrown::HashTable;

use crate::pattern::tree::Tree;

/// The patterns of all rules, each once.
#[derive(Debug, Default)]
pub(super) struct Trees {
    trees: HashTable<Arc<Tree>>,
    hasher: RandomState,
}

impl Trees {
    /// The one that is equal to `tree`. Held by the index alone, so that its count tells its uses.
    pub(super) fn shared(&mut self, tree: &Tree) -> Arc<Tree> {
        let Self { trees, hasher } = self;
        let hash = hasher.hash_one(tree);
        let entry = trees.entry(hash, |known| **known == *tree, |known| hasher.hash_one(&**known));
        entry.or_insert_with(|| Arc::new(tree.clone())).get().clone()
    }

    /// Forgets those of these patterns that no rule has any more.
    pub(super) fn release(&mut self, trees: Vec<Arc<Tree>>) {
        for tree in trees {
            let hash = self.hasher.hash_one(&*tree);
            let is_unused = |known: &Arc<Tree>| Arc::ptr_eq(known, &tree) && Arc::strong_count(known) == 2;
            if let Ok(entry) = self.trees.find_entry(hash, is_unused) {
                entry.remove();
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }
}
