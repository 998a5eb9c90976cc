//! One event looked up: what lies in its places is asked, and its body read once if need be.

use std::cell::OnceCell;

use jiff::Timestamp;

use super::{Shelves, shelves::Scoped, type_numbers::TypeNumber, wish::Wish};
use crate::{
    event::Event,
    id::WebhookId,
    pattern::document::{Part, Paths},
};

/// An event, and what was read of its body.
#[derive(Debug)]
pub struct Body<'e> {
    event: &'e Event,
    received_at: Timestamp,
    read: OnceCell<Part<'e>>,
}

impl<'e> Body<'e> {
    /// Reads nothing yet. `received_at` is the time in the body if the producer gave none.
    pub fn new(event: &'e Event, received_at: Timestamp) -> Self {
        Self { event, received_at, read: OnceCell::new() }
    }

    pub(super) fn event(&self) -> &'e Event {
        self.event
    }

    fn read(&self, paths: &Paths) -> &Part<'e> {
        self.read.get_or_init(|| Part::of_event(self.event, self.received_at, paths))
    }
}

/// What is known while an event is being looked up.
pub(super) struct Lookup<'l, 'e> {
    shelves: &'l Shelves,
    body: &'l Body<'e>,
    /// The event type patterns that match, in order.
    types: Vec<TypeNumber>,
}

impl<'l, 'e> Lookup<'l, 'e> {
    pub(super) fn new(shelves: &'l Shelves, body: &'l Body<'e>) -> Self {
        Self { shelves, body, types: shelves.types_of(body.event) }
    }

    /// The webhooks that want the event, some perhaps more than once. Candidates are gathered first and
    /// then asked, which lets the processor fetch several of them from memory at a time.
    pub(super) fn found(&self) -> Vec<WebhookId> {
        let mut candidates = Vec::with_capacity(32);
        for scoped in self.shelves.scopes_of(self.body.event) {
            match scoped {
                Scoped::Few(few) => candidates.extend(few.of_types(&self.types)),
                Scoped::Many(shelves) => {
                    let mut found = |wish: &'l Wish| candidates.push(wish);
                    for shelf in self.types.iter().filter_map(|number| shelves.get(number)) {
                        shelf.candidates(|| self.read_body(), &mut found);
                    }
                }
            }
        }
        candidates.retain(|wish| wish.wants(self.body.event, || self.read_body()));
        candidates.iter().map(|wish| wish.webhook).collect()
    }

    fn read_body(&self) -> &'l Part<'e> {
        self.body.read(self.shelves.paths())
    }
}
