//! A rule as the index keeps it: small, since there may be a million.

use uuid::Uuid;

use super::{
    entry::Entry,
    predicate::sorted,
    predicates::Predicates,
    type_numbers::{TypeNumber, TypeNumbers},
};
use crate::rule::Rule;

/// The keys of a rule (scope and event types) and the entry that is kept under each.
#[derive(Debug)]
pub(super) struct IndexedRule {
    pub(super) scope: Scope,
    pub(super) types: Types,
    pub(super) entry: Entry,
}

/// The first key: projects if the rule names some, else companies, else none.
#[derive(Debug)]
pub(super) enum Scope {
    All,
    Company(Box<str>),
    Companies(Box<[Box<str>]>),
    Project(Box<str>),
    Projects(Box<[Box<str>]>),
}

/// The second key: the numbers of the rule's event types, sorted.
#[derive(Debug)]
pub(super) enum Types {
    All,
    One(TypeNumber),
    Some(Box<[TypeNumber]>),
}

impl IndexedRule {
    pub(super) fn new(
        subscriber: Uuid,
        rule: &Rule,
        types: &mut TypeNumbers,
        predicates: &mut Predicates,
    ) -> Self {
        Self {
            scope: Scope::of(rule),
            types: Types::of(rule, types),
            entry: Entry { subscriber, predicate: predicates.shared(rule) },
        }
    }
}

impl Scope {
    fn of(rule: &Rule) -> Self {
        match (&rule.projects, &rule.companies) {
            (Some(projects), _) => match projects.as_slice() {
                [one] => Self::Project(one.as_str().into()),
                _ => Self::Projects(sorted(projects)),
            },
            (None, Some(companies)) => match companies.as_slice() {
                [one] => Self::Company(one.as_str().into()),
                _ => Self::Companies(sorted(companies)),
            },
            (None, None) => Self::All,
        }
    }
}

impl Types {
    fn of(rule: &Rule, types: &mut TypeNumbers) -> Self {
        let Some(list) = &rule.event_types else { return Self::All };
        let mut numbers: Vec<_> = list.iter().map(|pattern| types.use_of(pattern)).collect();
        numbers.sort_unstable();
        match numbers.as_slice() {
            [one] => Self::One(*one),
            _ => Self::Some(numbers.into()),
        }
    }

    /// Each number once, also if the rule names a type twice.
    pub(super) fn distinct(&self) -> impl Iterator<Item = TypeNumber> {
        let all = self.used();
        let is_first = |place: usize| place == 0 || all[place - 1] != all[place];
        (0..all.len()).filter(move |place| is_first(*place)).map(|place| all[place])
    }

    /// Each number as often as the rule names its type, in order.
    pub(super) fn used(&self) -> &[TypeNumber] {
        match self {
            Self::All => &[TypeNumber::ANY],
            Self::One(number) => std::slice::from_ref(number),
            Self::Some(numbers) => numbers,
        }
    }
}
