//! Numbers for event type patterns: rules name few of them, again and again.

use std::{collections::HashMap, sync::Arc};

use super::filed::Filed;
use crate::event_type::TypePattern;

/// Stands for an event type pattern.
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
    /// Numbers that were given since the last [`TypeNumbers::settle`].
    added: Vec<TypeNumber>,
    last: u32,
    free: Vec<TypeNumber>,
}

impl TypeNumbers {
    /// The pattern's number, for one more use.
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

    /// What must be told to those who read.
    pub(super) fn added(&self) -> impl Iterator<Item = (TypeNumber, &TypePattern)> {
        self.added.iter().map(|number| (*number, &self.used[number].0))
    }

    /// It was told.
    pub(super) fn settle(&mut self) {
        self.added.clear();
    }

    /// The numbers that nobody uses now that these rules are gone.
    pub(super) fn release(&mut self, rules: &[Arc<Filed>]) -> Vec<TypeNumber> {
        let mut unused = Vec::new();
        let numbers =
            rules.iter().flat_map(|rule| rule.types.used()).filter(|number| **number != TypeNumber::ANY);
        for number in numbers {
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
