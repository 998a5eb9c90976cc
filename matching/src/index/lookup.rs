//! One event looked up: what lies in its places is asked, and its body read once if need be.

use std::cell::OnceCell;

use uuid::Uuid;

use super::{Shelves, shelves::Scoped, type_numbers::TypeNumber, wish::Wish};
use crate::{
    event::{Event, Names},
    pattern::{
        Steps, TooCostly,
        document::{Part, Paths},
        steps::Spent,
    },
};

/// What an event may hold beyond a short value in each field without being counted.
const LIGHT: usize = 16;
/// So many candidates are asked without being counted.
const FEW: usize = 4096;

/// An event, and what was read of its body.
pub struct Body<'e> {
    event: &'e dyn Event,
    names: Names<'e>,
    read: OnceCell<Read<'e>>,
}

#[derive(Debug)]
struct Read<'e> {
    part: Part<'e>,
    is_light: bool,
}

impl<'e> Body<'e> {
    /// Reads the names and nothing else yet.
    pub fn new(event: &'e dyn Event) -> Self {
        Self { event, names: event.names(), read: OnceCell::new() }
    }

    fn read(&self, paths: &Paths) -> &Read<'e> {
        self.read.get_or_init(|| {
            let part = Part::of_event(self.event, paths);
            Read { is_light: part.load() <= LIGHT, part }
        })
    }
}

/// What is known while an event is being looked up.
pub(super) struct Lookup<'l, 'e> {
    shelves: &'l Shelves,
    body: &'l Body<'e>,
    /// The event type patterns that match, in order.
    types: Vec<TypeNumber>,
    steps: Steps,
}

impl<'l, 'e> Lookup<'l, 'e> {
    pub(super) fn new(shelves: &'l Shelves, body: &'l Body<'e>, most_steps: u64) -> Self {
        Self { shelves, body, types: shelves.types_of(&body.names), steps: Steps::uncounted(most_steps) }
    }

    /// The webhooks that want the event, some perhaps more than once. Candidates are gathered first and
    /// then asked, which lets the processor fetch several of them from memory at a time.
    pub(super) fn found(&self) -> Result<Vec<Uuid>, TooCostly> {
        self.ask().map_err(|Spent| self.steps.too_costly(self.read_body()))
    }

    fn ask(&self) -> Result<Vec<Uuid>, Spent> {
        let mut candidates = Vec::with_capacity(32);
        for scoped in self.shelves.scopes_of(&self.body.names) {
            match scoped {
                Scoped::Few(few) => candidates.extend(few.of_types(&self.types)),
                Scoped::Many(shelves) => {
                    let mut found = |wish: &'l Wish| candidates.push(wish);
                    for shelf in self.types.iter().filter_map(|number| shelves.get(number)) {
                        shelf.candidates(|| self.read_body(), &self.steps, &mut found)?;
                    }
                }
            }
        }
        if candidates.len() > FEW {
            self.steps.count();
        }
        if self.steps.is_counting() {
            // Each value of a list may have found the same.
            candidates.sort_unstable_by_key(|wish| wish.identity());
            candidates.dedup();
        }
        let mut found = Vec::with_capacity(candidates.len());
        for wish in candidates {
            if wish.wants(&self.body.names, || self.read_body(), &self.steps)? {
                found.push(wish.webhook);
            }
        }
        Ok(found)
    }

    fn read_body(&self) -> &'l Part<'e> {
        let read = self.body.read(self.shelves.paths());
        if !read.is_light {
            self.steps.count();
        }
        &read.part
    }
}
