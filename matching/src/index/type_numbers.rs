//! Numbers that stand for event type patterns: rules name the same few again and again.

use std::collections::HashMap;

use crate::event_type::TypePattern;

/// The number of an event type pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TypeNumber(u32);

impl TypeNumber {
    /// Every event type: what a rule without a list wants.
    pub(super) const ANY: Self = Self(0);
}

/// Which pattern has which number, and how many rules name it.
#[derive(Debug, Default)]
pub(super) struct TypeNumbers {
    numbers: HashMap<TypePattern, TypeNumber>,
    used: HashMap<TypeNumber, (TypePattern, usize)>,
    /// Numbers that were given since the last [`TypeNumbers::clear_added`].
    added: Vec<TypeNumber>,
    last: u32,
    free: Vec<TypeNumber>,
}

impl TypeNumbers {
    /// The pattern's number; counts one more use.
    pub(super) fn use_of(&mut self, pattern: &TypePattern) -> TypeNumber {
        if let Some(number) = self.numbers.get(pattern) {
            self.used.get_mut(number).expect("numbers in use have a pattern").1 += 1;
            return *number;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.last += 1;
            TypeNumber(self.last)
        });
        self.numbers.insert(pattern.clone(), number);
        self.used.insert(number, (pattern.clone(), 1));
        self.added.push(number);
        number
    }

    /// New numbers and their patterns, which readers do not know yet.
    pub(super) fn added(&self) -> impl Iterator<Item = (TypeNumber, &TypePattern)> {
        self.added.iter().map(|number| (*number, &self.used[number].0))
    }

    pub(super) fn clear_added(&mut self) {
        self.added.clear();
    }

    /// Ends one use of each of these numbers, and returns those that no rule uses any more.
    pub(super) fn release<'n>(&mut self, numbers: impl Iterator<Item = &'n TypeNumber>) -> Vec<TypeNumber> {
        let mut unused = Vec::new();
        for number in numbers.filter(|number| **number != TypeNumber::ANY) {
            let (pattern, uses) = self.used.get_mut(number).expect("numbers in use have a pattern");
            *uses -= 1;
            if *uses == 0 {
                self.numbers.remove(pattern);
                self.used.remove(number);
                self.free.push(*number);
                unused.push(*number);
            }
        }
        unused
    }
}
