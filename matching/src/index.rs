//! The index that finds the webhooks that want an event; its cost follows the matches, not the rules.
//!
//! Each rule is filed under what it names: its projects, else its companies, else "all"; and there
//! under its event types (`shelves`). Where many rules lie in one such place, those with a pattern
//! are filed under a condition that they need (`conditions`). What is filed is a *wish*: the webhook,
//! and what its rule asks beyond the place (`wish`); equal ones of that are there once (`rests`). The
//! wishes found in the places of an event are then asked by the plain evaluator, so that the index
//! decides only what is looked at. The event's data is read only when something found there needs it,
//! and only the fields in use.
//!
//! What one event costs is bounded: an event with long lists or texts, and one that much is asked about, is
//! counted at every step (`pattern::steps`). Any other is compared with its candidates uncounted.
//!
//! With many rules the time goes into fetching from memory what no other event has met lately. So what
//! an event must meet is little and lies together.
//!
//! There are two copies of what is read (`copies`): one answers while the other is changed. The rules
//! themselves are there once.

use std::sync::{Arc, Mutex, MutexGuard};

use uuid::Uuid;

use crate::{event::Event, pattern::TooCostly, rule::Rule};

mod anchors;
mod by_length;
mod conditions;
mod copies;
mod filed;
mod lookup;
mod networks;
mod posting;
mod ranges;
mod rests;
mod shelf;
mod shelves;
mod type_numbers;
mod types;
mod wish;

use copies::Copies;
use filed::Filed;
pub use lookup::Body;
use lookup::Lookup;
use rests::Rests;
use shelves::Shelves;
use type_numbers::TypeNumbers;

/// Rules of many webhooks, by what they name. Reading waits for nobody.
#[derive(Debug, Default)]
pub struct Index {
    copies: Copies<Shelves>,
    ledger: Mutex<Ledger>,
}

/// What only changes need.
#[derive(Debug, Default)]
struct Ledger {
    filed: filed::ByWebhook,
    types: TypeNumbers,
    rests: Rests,
}

/// A change of one rule. All rules of a webhook are removed before the first new one is put, since equal
/// wishes of one webhook lie in a place once.
enum Step {
    Remove(Arc<Filed>),
    Put(Arc<Filed>),
}

impl Index {
    /// Files a webhook's rules in place of those it had. An event that is asked about next is
    /// answered by the new ones.
    pub fn put(&self, id: Uuid, rules: &[Rule]) {
        self.apply([(id, rules)]);
    }

    /// Takes a webhook's rules away.
    pub fn remove(&self, id: Uuid) {
        self.apply([(id, &[][..])]);
    }

    /// Files the rules of many webhooks, each in place of those it had; none takes them away. Seen
    /// all at once.
    pub fn apply<'r>(&self, changes: impl IntoIterator<Item = (Uuid, &'r [Rule])>) {
        let mut ledger = self.ledger();
        let Ledger { filed, types, rests } = &mut *ledger;
        let mut steps = Vec::new();
        for (id, rules) in changes {
            steps.extend(filed.take(id).into_iter().map(Step::Remove));
            let rules = rules.iter().map(|rule| Filed::new(id, rule, types, rests));
            steps.extend(rules.map(|rule| Step::Put(filed.put(rule))));
        }
        self.copies.change(|shelves| {
            types.added().for_each(|(number, pattern)| shelves.add_type(number, pattern));
            steps.iter().for_each(|step| step.take(shelves));
        });
        types.settle();
        let old: Vec<_> = steps.into_iter().filter_map(Step::removed).collect();
        let unused = types.release(&old);
        if !unused.is_empty() {
            self.copies.change(|shelves| unused.iter().for_each(|number| shelves.remove_type(*number)));
        }
        rests.release(old.into_iter().filter_map(|rule| rule.wish.rest.clone()).collect());
    }

    /// The webhooks that want the event, each once, in the order of their ids.
    ///
    /// # Errors
    /// If finding them would take more than `most_steps`.
    pub fn wanting(&self, event: &dyn Event, most_steps: u64) -> Result<Vec<Uuid>, TooCostly> {
        self.wanting_body(&Body::new(event), most_steps)
    }

    /// As [`Index::wanting`]. What was read of the body stays with it, so it may be asked about again
    /// only while nothing is filed or taken away.
    ///
    /// # Errors
    /// As [`Index::wanting`].
    #[doc(hidden)]
    pub fn wanting_body(&self, body: &Body<'_>, most_steps: u64) -> Result<Vec<Uuid>, TooCostly> {
        let mut found = self.copies.read(|shelves| Lookup::new(shelves, body, most_steps).found())?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("a change has panicked: the index cannot be trusted")
    }
}

impl Step {
    fn take(&self, shelves: &mut Shelves) {
        match self {
            Self::Remove(rule) => shelves.remove(rule),
            Self::Put(rule) => shelves.put(rule),
        }
    }

    fn removed(self) -> Option<Arc<Filed>> {
        match self {
            Self::Remove(rule) => Some(rule),
            Self::Put(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
