//! The index that finds the webhooks that want an event; its cost follows the matches, not the rules.
//!
//! Each rule is filed under what it names: its projects, else its companies, else "all"; and there
//! under its event types (`shelves`). Where many rules lie in one such place, those with a pattern
//! are filed under a condition that they need (`conditions`). Equal patterns are there once (`trees`). What is found in the places of an
//! event is then asked itself by the plain evaluator, so that the index decides only what is looked
//! at. The event's data is read only when something found there needs it, and only the fields in use.
//!
//! There are two copies of what is read (`copies`): one answers while the other is changed. The rules
//! themselves are there once.

use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;

use crate::{event::Event, id::WebhookId, rule::Rule};

mod anchors;
mod by_length;
mod conditions;
mod copies;
mod filed;
mod lookup;
mod networks;
mod posting;
mod ranges;
mod shelf;
mod shelves;
mod trees;
mod type_numbers;
mod types;

use copies::Copies;
use filed::Filed;
pub use lookup::Body;
use lookup::Lookup;
use posting::Posting;
use shelves::Shelves;
use trees::Trees;
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
    trees: Trees,
}

impl Index {
    /// Files a webhook's rules in place of those it had. An event that is asked about next is
    /// answered by the new ones.
    pub fn put(&self, id: WebhookId, rules: &[Rule]) {
        self.apply([(id, rules)]);
    }

    /// Takes a webhook's rules away.
    pub fn remove(&self, id: WebhookId) {
        self.apply([(id, &[][..])]);
    }

    /// Files the rules of many webhooks, each in place of those it had; none takes them away. Seen
    /// all at once.
    pub fn apply<'r>(&self, changes: impl IntoIterator<Item = (WebhookId, &'r [Rule])>) {
        let mut ledger = self.ledger();
        let Ledger { filed, types, trees } = &mut *ledger;
        let mut old = Vec::new();
        let mut new = Vec::new();
        for (id, rules) in changes {
            old.extend(filed.take(id));
            for rule in rules {
                let rule = filed.put(Filed::new(id, rule, types, trees));
                new.push(rule);
            }
        }
        self.copies.change(|shelves| {
            types.added().for_each(|(number, pattern)| shelves.add_type(number, pattern));
            new.iter().for_each(|rule| shelves.put(rule));
            old.iter().for_each(|rule| shelves.remove(rule));
        });
        types.settle();
        drop(new);
        let unused = types.release(&old);
        if !unused.is_empty() {
            self.copies.change(|shelves| unused.iter().for_each(|number| shelves.remove_type(*number)));
        }
        let patterns = old.iter().filter_map(|rule| rule.pattern.clone()).collect();
        drop(old);
        trees.release(patterns);
    }

    /// The webhooks that want the event, each once, in the order of their ids; without the one that it
    /// is about, if it is one of our own events. `received_at` is the time in its body if the producer
    /// gave none.
    pub fn wanting(&self, event: &Event, received_at: Timestamp) -> Vec<WebhookId> {
        self.wanting_body(&Body::new(event, received_at))
    }

    /// As [`Index::wanting`]. What was read of the body stays with it, so it may be asked about again
    /// only while nothing is filed or taken away.
    #[doc(hidden)]
    pub fn wanting_body(&self, body: &Body<'_>) -> Vec<WebhookId> {
        let mut found = self.copies.read(|shelves| Lookup::new(shelves, body).found());
        found.sort_unstable();
        found.dedup();
        if let Some(subject) = body.event().about() {
            found.retain(|id| *id != subject);
        }
        found
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("a change has panicked: the index cannot be trusted")
    }
}

#[cfg(test)]
mod tests;
