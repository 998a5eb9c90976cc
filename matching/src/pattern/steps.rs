//! The budget for matching one event, counted in steps: a step is about one comparison of one value.
//!
//! The cost of an event is the product of the tests of patterns and its values. A tenant could make it
//! arbitrarily large: 2,000 tests of a list of 300,000 values take seconds, in which no other event is
//! matched. So steps are taken before work is done, and matching ends with [`Spent`] when none are left.

use std::cell::Cell;

use super::part::Part;

/// The default budget for an event: about 100 ms.
pub const MOST_STEPS: u64 = 20_000_000;

/// A budget of steps.
#[derive(Debug)]
pub struct Steps {
    most: u64,
    left: Cell<u64>,
    is_counting: Cell<bool>,
}

/// The budget is spent; [`TooCostly`] says on what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spent;

/// Matching would take more steps than it may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "matching it with patterns takes more than {most} steps (POSTHORN_MAX_MATCH_STEPS): {widest}; publish \
     less in one event, or give webhooks patterns with fewer values, on fields with fewer"
)]
pub struct TooCostly {
    most: u64,
    widest: String,
}

impl Default for Steps {
    fn default() -> Self {
        Self::new(MOST_STEPS)
    }
}

impl Steps {
    /// A budget of so many steps.
    pub fn new(most: u64) -> Self {
        Self { most, left: Cell::new(most), is_counting: Cell::new(true) }
    }

    /// A budget that is not used before [`Steps::count`].
    pub(crate) fn uncounted(most: u64) -> Self {
        Self { is_counting: Cell::new(false), ..Self::new(most) }
    }

    pub(crate) fn count(&self) {
        self.is_counting.set(true);
    }

    pub(crate) fn is_counting(&self) -> bool {
        self.is_counting.get()
    }

    /// How many were spent.
    pub fn spent(&self) -> u64 {
        self.most - self.left.get()
    }

    #[inline]
    pub(crate) fn take(&self, steps: u64) -> Result<(), Spent> {
        self.take_for(|| steps)
    }

    /// `cost` is called only if steps are counted.
    #[inline]
    pub(crate) fn take_for(&self, cost: impl FnOnce() -> u64) -> Result<(), Spent> {
        if self.is_counting.get() {
            let left = self.left.get().checked_sub(cost());
            self.left.set(left.unwrap_or(0));
            return left.map(|_| ()).ok_or(Spent);
        }
        Ok(())
    }

    /// Why matching this event has ended.
    pub(crate) fn too_costly(&self, event: &Part<'_>) -> TooCostly {
        let mut widest = (0, String::new());
        find_widest(event, &mut String::new(), &mut widest);
        let (_, told) = widest;
        let widest = if told.is_empty() { "too many patterns concern it".to_owned() } else { told };
        TooCostly { most: self.most, widest }
    }
}

/// Whether any of them holds, asked one after the other.
pub(crate) fn any<T>(
    items: impl IntoIterator<Item = T>,
    mut holds: impl FnMut(T) -> Result<bool, Spent>,
) -> Result<bool, Spent> {
    for item in items {
        if holds(item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether all of them hold, asked one after the other.
pub(crate) fn all<T>(
    items: impl IntoIterator<Item = T>,
    mut hold: impl FnMut(T) -> Result<bool, Spent>,
) -> Result<bool, Spent> {
    any(items, |item| hold(item).map(|holds| !holds)).map(|is_any_not| !is_any_not)
}

/// The field with the longest list or text.
fn find_widest(part: &Part<'_>, path: &mut String, widest: &mut (usize, String)) {
    let own = part.own_load();
    if own > widest.0 {
        let told = match part {
            Part::Array(items) => format!("{path:?} holds {} values", items.len()),
            Part::Scalar(_) | Part::Object(_) => format!("{path:?} holds a long text"),
        };
        *widest = (own, told);
    }
    match part {
        Part::Array(items) => items.iter().for_each(|item| find_widest(item, path, widest)),
        Part::Object(fields) => {
            for (name, part) in fields {
                let above = path.len();
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
                find_widest(part, path, widest);
                path.truncate(above);
            }
        }
        Part::Scalar(_) => {}
    }
}
