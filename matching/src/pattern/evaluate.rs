//! The plain evaluator: whether a pattern matches an event. The index must find the same.
//!
//! An object of the pattern that meets an array asks for one element of it that fits as a whole
//! (array-consistent matching). A field whose absence is wanted takes no part in choosing that
//! element: if nothing else chooses one, the field must be absent from all.
//!
//! Each function takes one step for each part of the event that it visits, and the cost of each test that it
//! makes, so that a budget bounds all work.

use std::collections::HashSet;

use super::{
    part::Part,
    scalar::Scalar,
    steps::{Spent, Steps, all, any},
    tree::{Field, Test, Tree},
};

/// Up to so many tests or values are compared one by one.
const FEW: usize = 8;
/// Steps for inserting a text into a set, or finding it there.
const LOOK_UP: u64 = 4;

impl Tree {
    /// Whether it matches what was read of an event along its paths.
    pub(crate) fn matches(&self, event: &Part<'_>, steps: &Steps) -> Result<bool, Spent> {
        any(self.branches(), |fields| hold(fields, Some(event), steps))
    }
}

/// Whether all the fields hold.
fn hold(fields: &[Field], seen: Option<&Part<'_>>, steps: &Steps) -> Result<bool, Spent> {
    Ok(are_there(fields, seen, steps)? || are_absent(fields, seen, steps)?)
}

/// Whether all the fields hold, at least one of them by a value that is there.
fn are_there(fields: &[Field], seen: Option<&Part<'_>>, steps: &Steps) -> Result<bool, Spent> {
    steps.take(1)?;
    match seen {
        Some(Part::Array(items)) => any(items, |item| are_there(fields, Some(item), steps)),
        Some(object @ Part::Object(_)) => {
            let mut is_any_there = false;
            for field in fields {
                match is_there(field, &field.path, object, steps)? {
                    true => is_any_there = true,
                    false if is_absent(field, &field.path, Some(object), steps)? => {}
                    false => return Ok(false),
                }
            }
            Ok(is_any_there)
        }
        Some(Part::Scalar(_)) | None => Ok(false),
    }
}

/// Whether all the fields may be absent and are.
fn are_absent(fields: &[Field], seen: Option<&Part<'_>>, steps: &Steps) -> Result<bool, Spent> {
    all(fields, |field| is_absent(field, &field.path, seen, steps))
}

/// Whether a value at `path` below `seen` satisfies the field.
fn is_there(field: &Field, path: &str, seen: &Part<'_>, steps: &Steps) -> Result<bool, Spent> {
    steps.take(1)?;
    if let Part::Array(items) = seen {
        return any(items, |item| is_there(field, path, item, steps));
    }
    match path.split_once('.') {
        Some((name, path)) => seen.field(name).map_or(Ok(false), |below| is_there(field, path, below, steps)),
        None => is_value_there(field, seen.field(path), steps),
    }
}

fn is_value_there(field: &Field, seen: Option<&Part<'_>>, steps: &Steps) -> Result<bool, Spent> {
    let by_value = !field.tests.is_empty() && has_wanted(&field.tests, seen, steps)?;
    let by_fields = !field.fields.is_empty() && are_there(&field.fields, seen, steps)?;
    Ok(by_value && (by_fields || are_absent(&field.fields, seen, steps)?)
        || by_fields && (field.tests.is_empty() || has_none(&field.tests, seen, steps)?))
}

/// Whether the field may be absent and is, from every element of an array.
fn is_absent(field: &Field, path: &str, seen: Option<&Part<'_>>, steps: &Steps) -> Result<bool, Spent> {
    steps.take(1)?;
    if let Some(Part::Array(items)) = seen {
        return match items.is_empty() {
            true => is_absent(field, path, None, steps),
            false => all(items, |item| is_absent(field, path, Some(item), steps)),
        };
    }
    match path.split_once('.') {
        Some((name, path)) => is_absent(field, path, seen.and_then(|object| object.field(name)), steps),
        None => {
            let value = seen.and_then(|object| object.field(path));
            Ok((field.tests.is_empty() || has_none(&field.tests, value, steps)?)
                && are_absent(&field.fields, value, steps)?)
        }
    }
}

/// Whether one of the tests holds for one of the values.
pub(crate) fn has_wanted(tests: &[Test], seen: Option<&Part<'_>>, steps: &Steps) -> Result<bool, Spent> {
    match seen {
        Some(Part::Array(items)) if items.len() > FEW && tests.len() > FEW => {
            is_any_wanted(tests, items, steps)
        }
        Some(part) => any(part.elements(), |item| match item {
            Part::Scalar(scalar) => any(tests, |test| holds_for(test, scalar, steps)),
            Part::Array(_) | Part::Object(_) => steps.take(1).map(|()| false),
        }),
        None => Ok(false),
    }
}

/// As [`has_wanted`] for many values and many tests: texts are looked up in a set, so that the cost is the sum
/// of both numbers, not their product.
fn is_any_wanted(tests: &[Test], items: &[Part<'_>], steps: &Steps) -> Result<bool, Spent> {
    steps.take_for(|| LOOK_UP * tests.len() as u64)?;
    let text = |test: &'_ Test| if let Test::Text(text) = test { Some(text.clone()) } else { None };
    let texts: HashSet<Box<str>, ahash::RandomState> = tests.iter().filter_map(text).collect();
    let others: Vec<_> = tests.iter().filter(|test| !matches!(test, Test::Text(_))).collect();
    any(items, |item| {
        let Part::Scalar(scalar) = item else { return steps.take(1).map(|()| false) };
        steps.take_for(|| LOOK_UP + scalar.load() as u64)?;
        let is_listed = matches!(scalar, Scalar::Text(seen) if texts.contains(&**seen));
        Ok(is_listed || any(&others, |test| holds_for(test, scalar, steps))?)
    })
}

fn holds_for(test: &Test, scalar: &Scalar<'_>, steps: &Steps) -> Result<bool, Spent> {
    steps.take_for(|| test.cost(scalar))?;
    Ok(test.holds_for(scalar))
}

fn has_none(tests: &[Test], seen: Option<&Part<'_>>, steps: &Steps) -> Result<bool, Spent> {
    Ok(tests.contains(&Test::Absent) && !seen.map_or(Ok(false), |part| has_scalar(part, steps))?)
}

fn has_scalar(part: &Part<'_>, steps: &Steps) -> Result<bool, Spent> {
    any(part.elements(), |item| steps.take(1).map(|()| matches!(item, Part::Scalar(_))))
}
