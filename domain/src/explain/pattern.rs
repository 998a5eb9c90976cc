//! The clauses of a pattern.

use super::Clause;
use crate::pattern::{
    document::{Part, Paths, Scalar},
    tree::{Field, Test, Tree},
    words::any_of,
};

/// The most values of an event that a clause repeats.
const MOST_SEEN: usize = 5;

/// Each alternative's clauses, in the order of the pattern.
pub(super) fn alternatives(tree: &Tree, body: &str) -> Vec<Vec<Clause>> {
    let mut paths = Paths::default();
    paths.add(tree);
    let event = Part::read(body, &paths);
    let explained = tree.branches().map(|fields| {
        let mut clauses = Vec::new();
        explain(fields, &[&event], "", &mut clauses);
        let branch = Tree { first: fields.into(), others: Box::default() };
        if branch.matches(&event) {
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
        clauses
    });
    explained.collect()
}

/// `seen` are the places where the fields may stand: several if there are arrays on the way.
fn explain(fields: &[Field], seen: &[&Part<'_>], above: &str, clauses: &mut Vec<Clause>) {
    for field in fields {
        let path = if above.is_empty() { field.path.to_string() } else { format!("{above}.{}", field.path) };
        let mut found = seen.to_vec();
        for name in field.path.split('.') {
            found = found.into_iter().flat_map(elements).filter_map(|part| part.field(name)).collect();
        }
        if !field.tests.is_empty() {
            clauses.push(clause(path.clone(), &field.tests, &found));
        }
        explain(&field.fields, &found, &path, clauses);
    }
}

fn elements<'p, 'e>(part: &'p Part<'e>) -> &'p [Part<'e>] {
    match part {
        Part::Array(items) => items,
        Part::Object(_) | Part::Scalar(_) => std::slice::from_ref(part),
    }
}

fn clause(of: String, tests: &[Test], found: &[&Part<'_>]) -> Clause {
    let scalars: Vec<&Scalar<'_>> = found.iter().flat_map(|part| part.scalars()).collect();
    let by_value = scalars.iter().any(|scalar| tests.iter().any(|test| test.holds_for(scalar)));
    let by_absence =
        tests.contains(&Test::Absent) && found.iter().all(|part| part.scalars().next().is_none());
    Clause { of, wanted: any_of(tests), seen: told(&scalars), matched: by_value || by_absence }
}

fn told(scalars: &[&Scalar<'_>]) -> String {
    let words: Vec<_> = scalars.iter().take(MOST_SEEN).map(ToString::to_string).collect();
    match scalars.len() {
        0 => "no value".to_owned(),
        count if count > MOST_SEEN => format!("{} and {} more", words.join(", "), count - MOST_SEEN),
        _ => words.join(", "),
    }
}
