//! Whether a pattern matches: the plain evaluator. The index must find what it finds.
//!
//! An object of the pattern that meets an array asks for one element of it that fits as a whole
//! (array-consistent matching). A field whose absence is wanted takes no part in choosing that
//! element: if nothing else chooses one, the field must be absent from all.

use super::{
    document::Part,
    tree::{Field, Test, Tree},
};

impl Tree {
    /// Whether it matches what was read of an event along its paths.
    pub(crate) fn matches(&self, event: &Part<'_>) -> bool {
        self.branches.iter().any(|fields| hold(fields, Some(event)))
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
                match is_there(field, object.field(&field.name)) {
                    true => is_any_there = true,
                    false if is_absent(field, object.field(&field.name)) => {}
                    false => return false,
                }
            }
            is_any_there
        }
        Some(Part::Scalar(_)) | None => false,
    }
}

/// Whether all the fields may be absent and are, from every element of an array.
fn are_absent(fields: &[Field], seen: Option<&Part<'_>>) -> bool {
    match seen {
        Some(Part::Array(items)) if !items.is_empty() => {
            items.iter().all(|item| are_absent(fields, Some(item)))
        }
        Some(part) => fields.iter().all(|field| is_absent(field, part.field(&field.name))),
        None => fields.iter().all(|field| is_absent(field, None)),
    }
}

fn is_there(field: &Field, seen: Option<&Part<'_>>) -> bool {
    let by_value = !field.tests.is_empty() && has_wanted(&field.tests, seen);
    let by_fields = !field.fields.is_empty() && are_there(&field.fields, seen);
    by_value && (by_fields || are_absent(&field.fields, seen))
        || by_fields && (field.tests.is_empty() || has_none(&field.tests, seen))
}

fn is_absent(field: &Field, seen: Option<&Part<'_>>) -> bool {
    (field.tests.is_empty() || has_none(&field.tests, seen)) && are_absent(&field.fields, seen)
}

fn has_wanted(tests: &[Test], seen: Option<&Part<'_>>) -> bool {
    seen.is_some_and(|part| part.scalars().any(|scalar| tests.iter().any(|test| test.holds_for(scalar))))
}

fn has_none(tests: &[Test], seen: Option<&Part<'_>>) -> bool {
    tests.contains(&Test::Absent) && seen.is_none_or(|part| part.scalars().next().is_none())
}
