//! Strings that others begin with, end with or hold, found by their lengths.

use std::collections::{BTreeMap, HashMap};

/// Keys are no longer than this: it bounds the look-ups.
const LONGEST: usize = 32;

/// The key of strings that begin so.
pub(super) fn first(text: &str) -> &[u8] {
    &text.as_bytes()[..text.len().min(LONGEST)]
}

/// The key of strings that end so, or hold this: ends differ more often than beginnings.
pub(super) fn last(text: &str) -> &[u8] {
    &text.as_bytes()[text.len().saturating_sub(LONGEST)..]
}

/// What is filed under strings. Only lengths in use are looked up.
#[derive(Debug)]
pub(super) struct ByLength<T> {
    /// How many keys have a length.
    lengths: BTreeMap<usize, usize>,
    filed: HashMap<Box<[u8]>, T, ahash::RandomState>,
}

impl<T> Default for ByLength<T> {
    fn default() -> Self {
        Self { lengths: BTreeMap::new(), filed: HashMap::default() }
    }
}

impl<T> ByLength<T> {
    /// What is filed under the key, made if there is nothing yet.
    pub(super) fn at(&mut self, key: &[u8]) -> &mut T
    where
        T: Default,
    {
        if !self.filed.contains_key(key) {
            *self.lengths.entry(key.len()).or_default() += 1;
            self.filed.insert(key.into(), T::default());
        }
        self.filed.get_mut(key).expect("it is there now")
    }

    /// Changes what is filed under the key; forgets it if `change` says that nothing is left.
    pub(super) fn change(&mut self, key: &[u8], change: impl FnOnce(&mut T) -> bool) {
        if !self.filed.get_mut(key).is_some_and(change) {
            return;
        }
        self.filed.remove(key);
        if let Some(count) = self.lengths.get_mut(&key.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&key.len());
            }
        }
    }

    /// Hands over what is filed under the text's beginnings.
    pub(super) fn beginning<'t>(&'t self, text: &[u8], mut found: impl FnMut(&'t T)) {
        for (&length, _) in self.lengths.range(..=text.len()) {
            self.filed.get(&text[..length]).into_iter().for_each(&mut found);
        }
    }

    /// Hands over what is filed under the text's ends.
    pub(super) fn ending<'t>(&'t self, text: &[u8], mut found: impl FnMut(&'t T)) {
        for (&length, _) in self.lengths.range(..=text.len()) {
            self.filed.get(&text[text.len() - length..]).into_iter().for_each(&mut found);
        }
    }

    /// Hands over what is filed under anything that the text holds, perhaps more than once.
    pub(super) fn inside<'t>(&'t self, text: &[u8], mut found: impl FnMut(&'t T)) {
        for (&length, _) in self.lengths.range(1..=text.len().max(1)) {
            for part in text.windows(length) {
                self.filed.get(part).into_iter().for_each(&mut found);
            }
        }
    }

    /// How many lengths are looked up.
    pub(super) fn lengths(&self) -> usize {
        self.lengths.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filed.is_empty()
    }
}
