//! The clauses of a pattern.

use super::clause::Clause;
use crate::{
    event::{self, JsonEvent},
    pattern::{
        Steps, TooCostly,
        evaluate::has_wanted,
        part::Part,
        paths::Paths,
        scalar::Scalar,
        steps::{Spent, any},
        tree::{Field, Test, Tree},
        words::any_of,
    },
};

/// The most values of an event that a clause repeats.
const MOST_SEEN: usize = 5;

/// Each alternative's clauses, in the order of the pattern.
pub(super) fn alternatives(
    tree: &Tree,
    event: &JsonEvent<'_>,
    steps: &Steps,
) -> Result<Vec<Vec<Clause>>, TooCostly> {
    let mut paths = Paths::default();
    paths.add(tree);
    let event = event::body(event, &paths);
    let explained: Result<_, Spent> =
        tree.branches().map(|fields| alternative(fields, &event, steps)).collect();
    explained.map_err(|Spent| steps.too_costly(&event))
}

fn alternative(fields: &[Field], event: &Part<'_>, steps: &Steps) -> Result<Vec<Clause>, Spent> {
    let mut clauses = Vec::new();
    explain(fields, &[event], "", steps, &mut clauses)?;
    let branch = Tree { first: fields.into(), others: Box::default() };
    if branch.matches(event, steps)? {
        // Also where a field is absent from the element that fits, and present in others.
        clauses.iter_mut().for_each(|clause| clause.matched = true);
    } else if clauses.iter().all(|clause| clause.matched) {
        clauses.push(Clause {
            of: "all of these".to_owned(),
            wanted: "one element of the list in which they hold together".to_owned(),
            seen: "they hold only in different elements".to_owned(),
            matched: false,
        });
    }
    Ok(clauses)
}

/// `seen` are the places where the fields may stand: several if there are arrays on the way.
fn explain(
    fields: &[Field],
    seen: &[&Part<'_>],
    above: &str,
    steps: &Steps,
    clauses: &mut Vec<Clause>,
) -> Result<(), Spent> {
    for field in fields {
        let path = if above.is_empty() { field.path.to_string() } else { format!("{above}.{}", field.path) };
        let mut found = seen.to_vec();
        for name in field.path.split('.') {
            let parts = elements(&found, steps)?;
            found = parts.into_iter().filter_map(|part| part.field(name)).collect();
        }
        if !field.tests.is_empty() {
            clauses.push(clause(path.clone(), &field.tests, &found, steps)?);
        }
        explain(&field.fields, &found, &path, steps, clauses)?;
    }
    Ok(())
}

/// What they hold as arrays, or themselves.
fn elements<'p, 'e>(parts: &[&'p Part<'e>], steps: &Steps) -> Result<Vec<&'p Part<'e>>, Spent> {
    let count: usize = parts.iter().map(|part| part.elements().len()).sum();
    steps.take((parts.len() + count) as u64)?;
    Ok(parts.iter().flat_map(|part| part.elements()).collect())
}

fn clause(of: String, tests: &[Test], found: &[&Part<'_>], steps: &Steps) -> Result<Clause, Spent> {
    let scalars = elements(found, steps)?.into_iter().filter_map(Part::scalar).collect::<Vec<_>>();
    let by_value = any(found, |part| has_wanted(tests, Some(part), steps))?;
    let by_absence = tests.contains(&Test::Absent) && scalars.is_empty();
    Ok(Clause { of, wanted: any_of(tests), seen: listed(&scalars), matched: by_value || by_absence })
}

fn listed(scalars: &[&Scalar<'_>]) -> String {
    let words: Vec<_> = scalars.iter().take(MOST_SEEN).map(ToString::to_string).collect();
    match scalars.len() {
        0 => "no value".to_owned(),
        count if count > MOST_SEEN => format!("{} and {} more", words.join(", "), count - MOST_SEEN),
        _ => words.join(", "),
    }
}
