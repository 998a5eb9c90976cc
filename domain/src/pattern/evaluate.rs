//! Whether a pattern matches: the plain evaluator. The index must find what it finds.
//!
//! An object of the pattern that meets an array asks for one element of it that fits as a whole
//! (array-consistent matching). A field whose absence is wanted takes no part in choosing that
//! element: if nothing else chooses one, the field must be absent from all.

use std::collections::HashSet;

use super::{
    document::{Part, Scalar},
    tree::{Field, Test, Tree},
};

/// So many tests are made one by one.
const FEW: usize = 8;

impl Tree {
    /// Whether it matches what was read of an event along its paths.
    pub(crate) fn matches(&self, event: &Part<'_>) -> bool {
        self.branches().any(|fields| hold(fields, Some(event)))
    }
}

/// Whether all the fields hold.
fn hold(fields: &[Field], seen: Option<&Part<'_>>) -> bool {
    are_there(fields, seen) || are_absent(fields, seen)
}

/// Whether all the fields hold, at least one of them by a value that is there.
fn are_there(fields: &[Field], seen: Option<&Part<'_>>) -> bool {
    match seen {
        Some(Part::Array(items)) => items.iter().any(|item| are_there(fields, Some(item))),
        Some(object @ Part::Object(_)) => {
            let mut is_any_there = false;
            for field in fields {
                match is_there(field, &field.path, object) {
                    true => is_any_there = true,
                    false if is_absent(field, &field.path, Some(object)) => {}
                    false => return false,
                }
            }
            is_any_there
        }
        Some(Part::Scalar(_)) | None => false,
    }
}

/// Whether all the fields may be absent and are.
fn are_absent(fields: &[Field], seen: Option<&Part<'_>>) -> bool {
    fields.iter().all(|field| is_absent(field, &field.path, seen))
}

/// Whether the field, which lies at the path below an object or one in an array, holds by a value that
/// is there.
fn is_there(field: &Field, path: &str, seen: &Part<'_>) -> bool {
    if let Part::Array(items) = seen {
        return items.iter().any(|item| is_there(field, path, item));
    }
    match path.split_once('.') {
        Some((name, path)) => seen.field(name).is_some_and(|below| is_there(field, path, below)),
        None => is_value_there(field, seen.field(path)),
    }
}

fn is_value_there(field: &Field, seen: Option<&Part<'_>>) -> bool {
    let by_value = !field.tests.is_empty() && has_wanted(&field.tests, seen);
    let by_fields = !field.fields.is_empty() && are_there(&field.fields, seen);
    by_value && (by_fields || are_absent(&field.fields, seen))
        || by_fields && (field.tests.is_empty() || has_none(&field.tests, seen))
}

/// Whether the field may be absent and is, from every element of an array.
fn is_absent(field: &Field, path: &str, seen: Option<&Part<'_>>) -> bool {
    if let Some(Part::Array(items)) = seen {
        return match items.is_empty() {
            true => is_absent(field, path, None),
            false => items.iter().all(|item| is_absent(field, path, Some(item))),
        };
    }
    match path.split_once('.') {
        Some((name, path)) => is_absent(field, path, seen.and_then(|object| object.field(name))),
        None => {
            let value = seen.and_then(|object| object.field(path));
            (field.tests.is_empty() || has_none(&field.tests, value)) && are_absent(&field.fields, value)
        }
    }
}

fn has_wanted(tests: &[Test], seen: Option<&Part<'_>>) -> bool {
    match seen {
        Some(Part::Array(items)) if items.len() > FEW && tests.len() > FEW => is_any_wanted(tests, items),
        Some(part) => part.scalars().any(|scalar| tests.iter().any(|test| test.holds_for(scalar))),
        None => false,
    }
}

/// The same for many values and many tests: texts are looked up, so that it does not take the product.
fn is_any_wanted(tests: &[Test], items: &[Part<'_>]) -> bool {
    let text = |test: &'_ Test| if let Test::Text(text) = test { Some(text.clone()) } else { None };
    let texts: HashSet<Box<str>, ahash::RandomState> = tests.iter().filter_map(text).collect();
    let others: Vec<_> = tests.iter().filter(|test| !matches!(test, Test::Text(_))).collect();
    let is_wanted = |item: &Part<'_>| match item {
        Part::Scalar(scalar) => {
            matches!(scalar, Scalar::Text(seen) if texts.contains(&**seen))
                || others.iter().any(|test| test.holds_for(scalar))
        }
        Part::Array(_) | Part::Object(_) => false,
    };
    items.iter().any(is_wanted)
}

fn has_none(tests: &[Test], seen: Option<&Part<'_>>) -> bool {
    tests.contains(&Test::Absent) && seen.is_none_or(|part| part.scalars().next().is_none())
}
