//! Circles of a graph.

use std::collections::{BTreeMap, BTreeSet};

/// The groups of nodes of which each leads to each other, in order.
pub(super) fn circles<N: Ord + Clone>(leads_to: &BTreeMap<N, BTreeSet<N>>) -> Vec<Vec<N>> {
    let reached: BTreeMap<_, _> = leads_to.keys().map(|node| (node, reachable(leads_to, node))).collect();
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for (node, found) in &reached {
        if !found.contains(*node) || seen.contains(*node) {
            continue;
        }
        let leads_back = |other: &&N| reached.get(*other).is_some_and(|found| found.contains(*node));
        let circle: Vec<N> = found.iter().filter(leads_back).cloned().collect();
        seen.extend(circle.iter().cloned());
        circles.push(circle);
    }
    circles
}

/// What a node leads to, directly or not.
fn reachable<N: Ord + Clone>(leads_to: &BTreeMap<N, BTreeSet<N>>, from: &N) -> BTreeSet<N> {
    let (mut found, mut next) = (BTreeSet::new(), vec![from.clone()]);
    while let Some(node) = next.pop() {
        for target in leads_to.get(&node).into_iter().flatten() {
            if found.insert(target.clone()) {
                next.push(target.clone());
            }
        }
    }
    found
}
