//! The look-up of one event: candidates are gathered, then evaluated.

use std::cell::OnceCell;

use uuid::Uuid;

use super::{buckets::Buckets, entry::Entry, scope_buckets::ScopeBuckets, type_numbers::TypeNumber};
use crate::{
    event::{self, Event, Names},
    pattern::{Steps, TooCostly, part::Part, paths::Paths, steps::Spent},
};

/// An event whose load ([`Part::load`]) is no larger is evaluated without counting steps.
const LIGHT: usize = 16;
/// Up to so many candidates are evaluated without counting steps.
const FEW: usize = 4096;

/// An event, and its body once it was read.
pub struct Body<'e> {
    event: &'e dyn Event,
    names: Names<'e>,
    read: OnceCell<Read<'e>>,
}

struct Read<'e> {
    part: Part<'e>,
    is_light: bool,
}

impl<'e> Body<'e> {
    /// Reads only the names.
    pub fn new(event: &'e dyn Event) -> Self {
        Self { event, names: event.names(), read: OnceCell::new() }
    }

    fn read(&self, paths: &Paths) -> &Read<'e> {
        self.read.get_or_init(|| {
            let part = event::body(self.event, paths);
            Read { is_light: part.load() <= LIGHT, part }
        })
    }
}

/// One look-up in progress.
pub(super) struct Lookup<'l, 'e> {
    buckets: &'l Buckets,
    body: &'l Body<'e>,
    /// The event type patterns that match, in order.
    types: Vec<TypeNumber>,
    steps: Steps,
}

impl<'l, 'e> Lookup<'l, 'e> {
    pub(super) fn new(buckets: &'l Buckets, body: &'l Body<'e>, most_steps: u64) -> Self {
        Self { buckets, body, types: buckets.types_of(&body.names), steps: Steps::uncounted(most_steps) }
    }

    /// The subscribers that want the event, some more than once.
    pub(super) fn found(&self) -> Result<Vec<Uuid>, TooCostly> {
        self.evaluate().map_err(|Spent| self.steps.too_costly(self.read_body()))
    }

    /// Gathers all candidates before the first is evaluated, so that the processor fetches several from
    /// memory at a time.
    fn evaluate(&self) -> Result<Vec<Uuid>, Spent> {
        let mut candidates = self.candidates()?;
        if candidates.len() > FEW {
            self.steps.count();
        }
        if self.steps.is_counting() {
            // Each value of a list may have found the same entries.
            candidates.sort_unstable_by_key(|entry| entry.identity());
            candidates.dedup();
        }
        let mut found = Vec::with_capacity(candidates.len());
        for entry in candidates {
            if entry.wants(&self.body.names, || self.read_body(), &self.steps)? {
                found.push(entry.subscriber);
            }
        }
        Ok(found)
    }

    fn candidates(&self) -> Result<Vec<&'l Entry>, Spent> {
        let mut candidates = Vec::with_capacity(32);
        for scope in self.buckets.scopes_of(&self.body.names) {
            match scope {
                ScopeBuckets::Small(small) => candidates.extend(small.of_types(&self.types)),
                ScopeBuckets::Large(buckets) => {
                    let mut found = |entry: &'l Entry| candidates.push(entry);
                    for bucket in self.types.iter().filter_map(|number| buckets.get(number)) {
                        bucket.candidates(|| self.read_body(), &self.steps, &mut found)?;
                    }
                }
            }
        }
        Ok(candidates)
    }

    fn read_body(&self) -> &'l Part<'e> {
        let read = self.body.read(self.buckets.paths());
        if !read.is_light {
            self.steps.count();
        }
        &read.part
    }
}
