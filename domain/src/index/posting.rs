//! The rules that are filed under one key.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use hashbrown::HashSet;

use super::filed::Filed;

/// One rule or many; taking one out is quick either way.
#[derive(Debug, Default)]
pub(super) enum Posting {
    #[default]
    None,
    One(Arc<Filed>),
    Many(Box<HashSet<Same, ahash::RandomState>>),
}

/// A rule, equal only to itself.
#[derive(Debug, Clone)]
pub(super) struct Same(Arc<Filed>);

impl PartialEq for Same {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Same {}

impl Hash for Same {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl Posting {
    /// Once, however often it is put.
    pub(super) fn put(&mut self, rule: &Arc<Filed>) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(rule.clone()),
            Self::One(known) if Arc::ptr_eq(&known, rule) => Self::One(known),
            Self::One(known) => Self::Many(Box::new([Same(known), Same(rule.clone())].into_iter().collect())),
            Self::Many(mut known) => {
                known.insert(Same(rule.clone()));
                Self::Many(known)
            }
        };
    }

    /// Whether nothing is left.
    pub(super) fn remove(&mut self, rule: &Arc<Filed>) -> bool {
        match self {
            Self::None => {}
            Self::One(known) if Arc::ptr_eq(known, rule) => *self = Self::None,
            Self::One(_) => {}
            Self::Many(known) => {
                known.remove(&Same(rule.clone()));
                if known.is_empty() {
                    *self = Self::None;
                }
            }
        }
        self.is_empty()
    }

    pub(super) fn each<'p>(&'p self, mut found: impl FnMut(&'p Arc<Filed>)) {
        match self {
            Self::None => {}
            Self::One(rule) => found(rule),
            Self::Many(rules) => rules.iter().for_each(|rule| found(&rule.0)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }
}
