//! Values by strings that a text begins with, ends with or contains, found by looking up the parts of the
//! text of each length in use.

use std::collections::{BTreeMap, HashMap};

/// Keys are cut to so many bytes, which bounds the number of lengths.
const LONGEST: usize = 32;

/// The key of texts with this beginning.
pub(super) fn first(text: &str) -> &[u8] {
    &text.as_bytes()[..text.len().min(LONGEST)]
}

/// The key of texts that end with or contain this: its end, since ends differ more often than beginnings.
pub(super) fn last(text: &str) -> &[u8] {
    &text.as_bytes()[text.len().saturating_sub(LONGEST)..]
}

/// Values by strings of a few lengths.
#[derive(Debug)]
pub(super) struct ByLength<T> {
    /// How many keys have a length.
    lengths: BTreeMap<usize, usize>,
    values: HashMap<Box<[u8]>, T, ahash::RandomState>,
}

impl<T> Default for ByLength<T> {
    fn default() -> Self {
        Self { lengths: BTreeMap::new(), values: HashMap::default() }
    }
}

impl<T> ByLength<T> {
    /// The value of the key, inserted if there is none.
    pub(super) fn at(&mut self, key: &[u8]) -> &mut T
    where
        T: Default,
    {
        if !self.values.contains_key(key) {
            *self.lengths.entry(key.len()).or_default() += 1;
            self.values.insert(key.into(), T::default());
        }
        self.values.get_mut(key).expect("inserted above")
    }

    /// Changes the value of the key; removes it if `change` returns that it is empty.
    pub(super) fn change(&mut self, key: &[u8], change: impl FnOnce(&mut T) -> bool) {
        if !self.values.get_mut(key).is_some_and(change) {
            return;
        }
        self.values.remove(key);
        if let Some(count) = self.lengths.get_mut(&key.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&key.len());
            }
        }
    }

    /// Calls `found` with the values of keys that the text begins with.
    pub(super) fn beginning<'t>(&'t self, text: &[u8], mut found: impl FnMut(&'t T)) {
        for (&length, _) in self.lengths.range(..=text.len()) {
            self.values.get(&text[..length]).into_iter().for_each(&mut found);
        }
    }

    /// Calls `found` with the values of keys that the text ends with.
    pub(super) fn ending<'t>(&'t self, text: &[u8], mut found: impl FnMut(&'t T)) {
        for (&length, _) in self.lengths.range(..=text.len()) {
            self.values.get(&text[text.len() - length..]).into_iter().for_each(&mut found);
        }
    }

    /// Calls `found` with the values of keys that the text contains, some more than once.
    pub(super) fn inside<'t>(&'t self, text: &[u8], mut found: impl FnMut(&'t T)) {
        for (&length, _) in self.lengths.range(1..=text.len().max(1)) {
            for part in text.windows(length) {
                self.values.get(part).into_iter().for_each(&mut found);
            }
        }
    }

    /// How many lengths are looked up.
    pub(super) fn lengths(&self) -> usize {
        self.lengths.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}
