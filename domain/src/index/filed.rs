//! A rule as the index keeps it: small, since there may be a million.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use hashbrown::HashTable;

use super::{
    trees::Trees,
    type_numbers::{TypeNumber, TypeNumbers},
};
use crate::{event::Event, event_type::TypePattern, id::WebhookId, pattern::tree::Tree, rule::Rule};

/// What matching looks at comes first, close together.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Filed {
    pub(super) webhook: WebhookId,
    rest: Option<Box<Rest>>,
    pub(super) pattern: Option<Arc<Tree>>,
    pub(super) types: Types,
    pub(super) scope: Scope,
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

/// What the place where a rule is filed doesn't say.
#[derive(Debug)]
struct Rest {
    companies: Option<Box<[Box<str>]>>,
    except_projects: Box<[Box<str>]>,
    except_event_types: Box<[TypePattern]>,
}

impl Filed {
    pub(super) fn new(webhook: WebhookId, rule: &Rule, types: &mut TypeNumbers, trees: &mut Trees) -> Self {
        Self {
            webhook,
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
            rest: Rest::of(rule).map(Box::new),
            pattern: rule.pattern.as_ref().map(|pattern| trees.shared(&pattern.tree)),
        }
    }

    /// Whether the lists match of which its place says nothing.
    pub(super) fn rest_matches(&self, event: &Event) -> bool {
        let Some(rest) = &self.rest else { return true };
        rest.companies.as_ref().is_none_or(|companies| companies.iter().any(|id| **id == *event.company_id))
            && !rest.except_projects.iter().any(|id| **id == *event.project_id)
            && !rest.except_event_types.iter().any(|pattern| pattern.matches(&event.event_type))
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

impl Rest {
    fn of(rule: &Rule) -> Option<Self> {
        let companies = rule.projects.as_ref().and(rule.companies.as_ref());
        let (projects, types) = (&rule.except_projects, &rule.except_event_types);
        (companies.is_some() || projects.is_some() || types.is_some()).then(|| Self {
            companies: companies.map(|ids| distinct(ids)),
            except_projects: projects.as_ref().map_or_else(Box::default, |ids| distinct(ids)),
            except_event_types: types.clone().unwrap_or_default().into(),
        })
    }
}

fn distinct(ids: &[String]) -> Box<[Box<str>]> {
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
        let hash = self.hasher.hash_one(rule.webhook.0);
        let Self { rules, hasher } = self;
        rules.insert_unique(hash, rule.clone(), |other| hasher.hash_one(other.webhook.0));
        rule
    }

    pub(super) fn take(&mut self, webhook: WebhookId) -> Vec<Arc<Filed>> {
        let hash = self.hasher.hash_one(webhook.0);
        let mut taken = Vec::new();
        while let Ok(entry) = self.rules.find_entry(hash, |rule| rule.webhook == webhook) {
            taken.push(entry.remove().0);
        }
        taken
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}
