//! A subscription entry: what the index keeps of a rule under each of its keys.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use uuid::Uuid;

use super::predicate::Predicate;
use crate::{
    event::Names,
    pattern::{Steps, part::Part, steps::Spent, tree::Tree},
};

/// A subscriber and what its rule requires beyond the keys under which the entry is kept. 24 bytes; most
/// entries have no predicate, so matching them reads nothing else from memory. Entries are equal if
/// subscriber and predicate are; equal predicates share one allocation ([`super::predicates`]).
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) subscriber: Uuid,
    pub(super) predicate: Option<Arc<Predicate>>,
}

impl Entry {
    pub(super) fn pattern(&self) -> Option<&Tree> {
        self.predicate.as_ref()?.pattern()
    }

    /// Whether the subscriber wants an event that was found under one of the entry's keys. `body` reads the
    /// event's body.
    pub(super) fn wants<'b, 'e: 'b>(
        &self,
        names: &Names<'_>,
        body: impl FnOnce() -> &'b Part<'e>,
        steps: &Steps,
    ) -> Result<bool, Spent> {
        self.predicate.as_ref().map_or(Ok(true), |predicate| predicate.matches(names, body, steps))
    }

    /// Differs exactly if the entries do; also their order when sorted.
    pub(super) fn identity(&self) -> (Uuid, Option<usize>) {
        (self.subscriber, self.predicate.as_ref().map(|predicate| Arc::as_ptr(predicate).addr()))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Entry {}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}
