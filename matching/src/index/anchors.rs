//! Anchors: of each alternative of a pattern, the field that narrows the search most.

use crate::pattern::tree::{Field, Test, Tree};

/// A field, one of whose tests must hold for a value that is there, or its alternative cannot match.
#[derive(Debug, Clone)]
pub(super) struct Anchor<'t> {
    /// The names that lead to it.
    pub(super) path: Vec<&'t str>,
    pub(super) tests: &'t [Test],
}

/// An anchor for each alternative; `None` if one has none, since it asks only for what is absent.
pub(super) fn of(tree: &Tree) -> Option<Vec<Anchor<'_>>> {
    tree.branches().map(of_branch).collect()
}

fn of_branch(fields: &[Field]) -> Option<Anchor<'_>> {
    let mut anchors = Vec::new();
    collect(fields, &mut Vec::new(), &mut anchors);
    anchors.into_iter().min_by_key(|anchor| {
        let widest = anchor.tests.iter().map(width).max();
        (widest, anchor.tests.len())
    })
}

fn collect<'t>(fields: &'t [Field], path: &mut Vec<&'t str>, anchors: &mut Vec<Anchor<'t>>) {
    for field in fields {
        let above = path.len();
        path.extend(field.path.split('.'));
        if !field.tests.is_empty() && !field.tests.contains(&Test::Absent) {
            anchors.push(Anchor { path: path.clone(), tests: &field.tests });
        }
        collect(&field.fields, path, anchors);
        path.truncate(above);
    }
}

/// How many values a test lets pass, roughly: the order counts, not the size.
fn width(test: &Test) -> usize {
    let by_length = |text: &str| 10_usize.saturating_sub(text.len());
    match test {
        Test::Text(_) | Test::TextIgnoringCase(_) | Test::Number(_) => 0,
        Test::Cidr(_) => 1,
        Test::Prefix(text)
        | Test::PrefixIgnoringCase(text)
        | Test::Suffix(text)
        | Test::SuffixIgnoringCase(text) => 2 + by_length(text),
        Test::Wildcard(wildcard) => {
            3 + by_length(
                wildcard.literals().iter().max_by_key(|literal| literal.len()).map_or("", |text| text),
            )
        }
        Test::Range(range) if range.low.is_some() && range.high.is_some() => 8,
        Test::Range(_) => 20,
        Test::Null | Test::Bool(_) => 21,
        Test::Exists | Test::Absent | Test::AnythingBut(_) => 30,
    }
}
