//! Ranges of numbers, found by a number that lies in them.
//!
//! Ends are ranks of 64 bits ([`crate::pattern::decimal::Decimal::rank`]). A range lies at the node
//! whose bits its ends begin with alike; behind them, its low end has a 0 and its high end a 1. A number
//! can lie only in ranges at nodes whose bits it begins with, 65 at most. If it goes on with a 0 there,
//! it lies in those whose low end is not above it, else in those whose high end is not below: they are
//! sorted by both ends, so only those in which it lies are visited.

use std::collections::{BTreeMap, HashMap};

use super::{posting::Posting, wish::Wish};

#[derive(Debug, Default)]
pub(super) struct Ranges {
    nodes: HashMap<Bits, Node, ahash::RandomState>,
    /// How many nodes have so many bits.
    lengths: BTreeMap<u32, usize>,
}

/// The bits that ranks begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Bits {
    bits: u64,
    length: u32,
}

/// Ranges by each of their ends.
#[derive(Debug, Default)]
struct Node {
    by_low: BTreeMap<u64, Posting>,
    by_high: BTreeMap<u64, Posting>,
}

impl Bits {
    fn of(rank: u64, length: u32) -> Self {
        Self { bits: rank.checked_shr(64 - length).unwrap_or(0), length }
    }

    fn shared(low: u64, high: u64) -> Self {
        Self::of(low, (low ^ high).leading_zeros())
    }
}

impl Ranges {
    pub(super) fn put(&mut self, low: u64, high: u64, wish: &Wish) {
        let bits = Bits::shared(low, high);
        let node = self.nodes.entry(bits).or_insert_with(|| {
            *self.lengths.entry(bits.length).or_default() += 1;
            Node::default()
        });
        node.by_low.entry(low).or_default().put(wish);
        node.by_high.entry(high).or_default().put(wish);
    }

    pub(super) fn remove(&mut self, low: u64, high: u64, wish: &Wish) {
        let bits = Bits::shared(low, high);
        let Some(node) = self.nodes.get_mut(&bits) else { return };
        for (ends, end) in [(&mut node.by_low, low), (&mut node.by_high, high)] {
            if ends.get_mut(&end).is_some_and(|posting| posting.remove(wish)) {
                ends.remove(&end);
            }
        }
        if !node.by_low.is_empty() {
            return;
        }
        self.nodes.remove(&bits);
        if let Some(count) = self.lengths.get_mut(&bits.length) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&bits.length);
            }
        }
    }

    /// Hands over the wishes in whose ranges the rank lies, ends included.
    pub(super) fn holding<'r>(&'r self, rank: u64, mut found: impl FnMut(&'r Wish)) {
        for &length in self.lengths.keys() {
            let Some(node) = self.nodes.get(&Bits::of(rank, length)) else { continue };
            let goes_on_with_0 = rank.checked_shr(63 - length.min(63)).unwrap_or(0) & 1 == 0;
            match length == 64 || goes_on_with_0 {
                true => node.by_low.range(..=rank).for_each(|(_, posting)| posting.each(&mut found)),
                false => node.by_high.range(rank..).for_each(|(_, posting)| posting.each(&mut found)),
            }
        }
    }

    /// How many nodes are looked up.
    pub(super) fn lengths(&self) -> usize {
        self.lengths.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}
