//! Entries by conditions on the fields of an event.

use std::collections::HashMap;

use super::{anchors, conditions::Conditions, entry::Entry};
use crate::pattern::{Steps, part::Part, steps::Spent};

/// Steps for each entry that is found: it is fetched from memory, and kept until it is evaluated.
const FINDING: u64 = 4;

/// The conditions on the fields below one, by their names.
#[derive(Debug, Default)]
pub(super) struct ByField {
    /// Conditions on the values of the field itself.
    here: Option<Box<Conditions>>,
    below: HashMap<Box<str>, ByField, ahash::RandomState>,
}

impl ByField {
    /// Inserts an entry under the conditions that its pattern requires; false if it requires none.
    pub(super) fn insert(&mut self, entry: &Entry) -> bool {
        let Some(anchors) = anchors_of(entry) else { return false };
        for anchor in anchors {
            let conditions = self.at(&anchor.path);
            anchor.tests.iter().for_each(|test| conditions.insert(test, entry));
        }
        true
    }

    /// Removes an entry; false if its pattern requires no conditions.
    pub(super) fn remove(&mut self, entry: &Entry) -> bool {
        let Some(anchors) = anchors_of(entry) else { return false };
        for anchor in anchors {
            let conditions = self.at(&anchor.path);
            anchor.tests.iter().for_each(|test| conditions.remove(test, entry));
            self.drop_empty(&anchor.path);
        }
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.here.is_none() && self.below.is_empty()
    }

    fn at(&mut self, path: &[&str]) -> &mut Conditions {
        let mut level = self;
        for name in path {
            if !level.below.contains_key(*name) {
                level.below.insert((*name).into(), Self::default());
            }
            level = level.below.get_mut(*name).expect("inserted above");
        }
        level.here.get_or_insert_default()
    }

    /// Drops what is empty along the path.
    fn drop_empty(&mut self, path: &[&str]) {
        if let [name, deeper @ ..] = path {
            if let Some(level) = self.below.get_mut(*name) {
                level.drop_empty(deeper);
                if level.is_empty() {
                    self.below.remove(*name);
                }
            }
        } else if self.here.as_ref().is_some_and(|conditions| conditions.is_empty()) {
            self.here = None;
        }
    }

    /// Calls `found` with the entries whose conditions a value in the part may meet, some more than once.
    pub(super) fn met_by<'s, F: FnMut(&'s Entry)>(
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
                conditions.met_by(scalar, &mut |entry| {
                    count += 1;
                    found(entry);
                });
                steps.take(FINDING * count)?;
            }
        }
        if self.below.is_empty() { Ok(()) } else { self.met_below(part, steps, found) }
    }

    fn met_below<'s, F: FnMut(&'s Entry)>(
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
                // A step for each field that was looked up.
                steps.take(fields.len() as u64)
            }
            Part::Array(items) => items.iter().try_for_each(|item| self.met_below(item, steps, found)),
            Part::Scalar(_) => Ok(()),
        }
    }
}

fn anchors_of(entry: &Entry) -> Option<Vec<anchors::Anchor<'_>>> {
    entry.pattern().and_then(anchors::of)
}
