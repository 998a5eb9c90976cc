//! Explanations for people.

use posthorn_matching::explain::{Clause, Explanation};

pub(in crate::commands) fn explanation(explanation: &Explanation) {
    clauses(&explanation.clauses);
    let count = explanation.alternatives.len();
    for (place, alternative) in explanation.alternatives.iter().enumerate() {
        if count > 1 {
            println!("alternative {} of {count}:", place + 1);
        }
        clauses(alternative);
    }
    println!("{}", if explanation.matched { "match" } else { "no match" });
}

fn clauses(clauses: &[Clause]) {
    for Clause { of, wanted, seen, matched } in clauses {
        println!("{} {of}: wanted {wanted}; seen {seen}", if *matched { "yes" } else { "NO " });
    }
}
