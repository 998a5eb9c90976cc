//! A rule as the index keeps it: small, since there may be a million.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use hashbrown::HashTable;
use uuid::Uuid;

use super::{
    rests::Rests,
    type_numbers::{TypeNumber, TypeNumbers},
    wish::Wish,
};
use crate::rule::Rule;

/// A rule: where it is filed, and what is filed there.
#[derive(Debug)]
pub(super) struct Filed {
    pub(super) scope: Scope,
    pub(super) types: Types,
    pub(super) wish: Wish,
}

/// Under what a rule is filed.
#[derive(Debug)]
pub(super) enum Scope {
    All,
    Company(Box<str>),
    Companies(Box<[Box<str>]>),
    Project(Box<str>),
    Projects(Box<[Box<str>]>),
}

/// The numbers of a rule's event types.
#[derive(Debug)]
pub(super) enum Types {
    All,
    One(TypeNumber),
    Some(Box<[TypeNumber]>),
}

impl Filed {
    pub(super) fn new(webhook: Uuid, rule: &Rule, types: &mut TypeNumbers, rests: &mut Rests) -> Self {
        Self {
            scope: Scope::of(rule),
            types: match &rule.event_types {
                None => Types::All,
                Some(list) => {
                    let mut numbers: Vec<_> = list.iter().map(|pattern| types.use_of(pattern)).collect();
                    numbers.sort_unstable();
                    match numbers.as_slice() {
                        [one] => Types::One(*one),
                        _ => Types::Some(numbers.into()),
                    }
                }
            },
            wish: Wish { webhook, rest: rests.shared(rule) },
        }
    }
}

impl Scope {
    fn of(rule: &Rule) -> Self {
        match (&rule.projects, &rule.companies) {
            (Some(projects), _) => match projects.as_slice() {
                [one] => Self::Project(one.as_str().into()),
                _ => Self::Projects(distinct(projects)),
            },
            (None, Some(companies)) => match companies.as_slice() {
                [one] => Self::Company(one.as_str().into()),
                _ => Self::Companies(distinct(companies)),
            },
            (None, None) => Self::All,
        }
    }
}

impl Types {
    /// Each once, though the rule may name it twice.
    pub(super) fn distinct(&self) -> impl Iterator<Item = TypeNumber> {
        let all = self.used();
        let is_first = |place: usize| place == 0 || all[place - 1] != all[place];
        (0..all.len()).filter(move |place| is_first(*place)).map(|place| all[place])
    }

    /// As often as they were named, in order.
    pub(super) fn used(&self) -> &[TypeNumber] {
        match self {
            Self::All => &[TypeNumber::ANY],
            Self::One(number) => std::slice::from_ref(number),
            Self::Some(numbers) => numbers,
        }
    }
}

pub(super) fn distinct(ids: &[String]) -> Box<[Box<str>]> {
    let mut ids: Vec<Box<str>> = ids.iter().map(|id| id.as_str().into()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into()
}

/// Every rule, by its webhook.
#[derive(Debug, Default)]
pub(super) struct ByWebhook {
    rules: HashTable<Arc<Filed>>,
    hasher: RandomState,
}

impl ByWebhook {
    pub(super) fn put(&mut self, rule: Filed) -> Arc<Filed> {
        let rule = Arc::new(rule);
        let hash = self.hasher.hash_one(rule.wish.webhook);
        let Self { rules, hasher } = self;
        rules.insert_unique(hash, rule.clone(), |other| hasher.hash_one(other.wish.webhook));
        rule
    }

    pub(super) fn take(&mut self, webhook: Uuid) -> Vec<Arc<Filed>> {
        let hash = self.hasher.hash_one(webhook);
        let mut taken = Vec::new();
        while let Ok(entry) = self.rules.find_entry(hash, |rule| rule.wish.webhook == webhook) {
            taken.push(entry.remove().0);
        }
        taken
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}
