//! A shelf: the wishes of one scope and one event type pattern.

use std::collections::HashMap;

use super::{anchors, conditions::Conditions, posting::Posting, wish::Wish};
use crate::pattern::{Steps, document::Part, steps::Spent};

/// So many are asked one by one.
const FEW: usize = 16;
/// Steps for each wish that is found: it is fetched from memory, and kept until it is asked.
const FINDING: u64 = 4;

#[derive(Debug)]
pub(super) enum Shelf {
    Few(Vec<Wish>),
    Long(Box<LongShelf>),
}

/// Many wishes, those with a pattern by conditions that they need.
#[derive(Debug, Default)]
pub(super) struct LongShelf {
    /// Those without a pattern, or whose pattern asks for what is absent.
    unconditional: Posting,
    by_field: Level,
}

/// The conditions on a field, and on those inside it.
#[derive(Debug, Default)]
struct Level {
    here: Option<Box<Conditions>>,
    below: HashMap<Box<str>, Level, ahash::RandomState>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Shelf {
    /// Once, however often it is put.
    pub(super) fn put(&mut self, wish: &Wish) {
        if let Self::Few(wishes) = self
            && wishes.len() >= FEW
        {
            let mut long = LongShelf::default();
            wishes.iter().for_each(|wish| long.put(wish));
            *self = Self::Long(Box::new(long));
        }
        match self {
            Self::Few(wishes) if wishes.contains(wish) => {}
            Self::Few(wishes) => wishes.push(wish.clone()),
            Self::Long(long) => long.put(wish),
        }
    }

    /// Whether nothing is left.
    pub(super) fn remove(&mut self, wish: &Wish) -> bool {
        match self {
            Self::Few(wishes) => {
                wishes.retain(|known| known != wish);
                wishes.is_empty()
            }
            Self::Long(long) => {
                long.remove(wish);
                long.is_empty()
            }
        }
    }

    /// Hands over the wishes that may match, perhaps more than once. `body` reads the event's body.
    pub(super) fn candidates<'s, 'b, 'e: 'b>(
        &'s self,
        body: impl FnOnce() -> &'b Part<'e>,
        steps: &Steps,
        found: &mut impl FnMut(&'s Wish),
    ) -> Result<(), Spent> {
        match self {
            Self::Few(wishes) => wishes.iter().for_each(found),
            Self::Long(long) => {
                long.unconditional.each(&mut *found);
                if !long.by_field.below.is_empty() {
                    long.by_field.met_by(body(), steps, found)?;
                }
            }
        }
        Ok(())
    }
}

impl LongShelf {
    fn put(&mut self, wish: &Wish) {
        match anchors_of(wish) {
            Some(anchors) => {
                for anchor in anchors {
                    let conditions = self.by_field.at(&anchor.path);
                    anchor.tests.iter().for_each(|test| conditions.put(test, wish));
                }
            }
            None => self.unconditional.put(wish),
        }
    }

    fn remove(&mut self, wish: &Wish) {
        match anchors_of(wish) {
            Some(anchors) => {
                for anchor in anchors {
                    let conditions = self.by_field.at(&anchor.path);
                    anchor.tests.iter().for_each(|test| conditions.remove(test, wish));
                    self.by_field.tidy(&anchor.path);
                }
            }
            None => {
                self.unconditional.remove(wish);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.unconditional.is_empty() && self.by_field.below.is_empty()
    }
}

fn anchors_of(wish: &Wish) -> Option<Vec<anchors::Anchor<'_>>> {
    wish.pattern().and_then(anchors::of)
}

impl Level {
    fn at(&mut self, path: &[&str]) -> &mut Conditions {
        let mut level = self;
        for name in path {
            if !level.below.contains_key(*name) {
                level.below.insert((*name).into(), Self::default());
            }
            level = level.below.get_mut(*name).expect("it is there now");
        }
        level.here.get_or_insert_default()
    }

    /// Forgets what is empty along the path.
    fn tidy(&mut self, path: &[&str]) {
        if let [name, rest @ ..] = path {
            if let Some(level) = self.below.get_mut(*name) {
                level.tidy(rest);
                if level.here.is_none() && level.below.is_empty() {
                    self.below.remove(*name);
                }
            }
        } else if self.here.as_ref().is_some_and(|conditions| conditions.is_empty()) {
            self.here = None;
        }
    }

    fn met_by<'s, F: FnMut(&'s Wish)>(
        &'s self,
        part: &Part<'_>,
        steps: &Steps,
        found: &mut F,
    ) -> Result<(), Spent> {
        if let Some(conditions) = &self.here {
            for element in part.elements() {
                steps.take(1)?;
                let Part::Scalar(scalar) = element else { continue };
                steps.take_for(|| conditions.cost(scalar))?;
                let mut count = 0;
                conditions.met_by(scalar, &mut |wish| {
                    count += 1;
                    found(wish);
                });
                steps.take(FINDING * count)?;
            }
        }
        if self.below.is_empty() { Ok(()) } else { self.met_below(part, steps, found) }
    }

    fn met_below<'s, F: FnMut(&'s Wish)>(
        &'s self,
        part: &Part<'_>,
        steps: &Steps,
        found: &mut F,
    ) -> Result<(), Spent> {
        steps.take(1)?;
        match part {
            Part::Object(fields) => {
                for (name, part) in fields {
                    if let Some(level) = self.below.get(&**name) {
                        level.met_by(part, steps, found)?;
                    }
                }
                // Each was looked up.
                steps.take(fields.len() as u64)
            }
            Part::Array(items) => items.iter().try_for_each(|item| self.met_below(item, steps, found)),
            Part::Scalar(_) => Ok(()),
        }
    }
}
