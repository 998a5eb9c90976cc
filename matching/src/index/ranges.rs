//! Entries by ranges of numbers, found by a number in one of them.
//!
//! Ends of ranges are ranks of 64 bits ([`crate::pattern::decimal::Decimal::rank`]). A range is kept at the
//! node of the longest bit prefix that its ends share; the next bit is 0 in its low end and 1 in its high
//! end. A number can be only in ranges at nodes whose prefix it has: 65 nodes at most. If its next bit is 0,
//! it is in the ranges whose low end is not above it, else in those whose high end is not below it. A node
//! sorts its ranges by both ends, so only ranges that contain the number are visited.

use std::collections::{BTreeMap, HashMap};

use super::{entry::Entry, posting::Posting};

#[derive(Debug, Default)]
pub(super) struct Ranges {
    nodes: HashMap<Bits, Node, ahash::RandomState>,
    /// How many nodes have a prefix of a length.
    lengths: BTreeMap<u32, usize>,
}

/// A bit prefix of ranks.
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
    pub(super) fn insert(&mut self, low: u64, high: u64, entry: &Entry) {
        let bits = Bits::shared(low, high);
        let node = self.nodes.entry(bits).or_insert_with(|| {
            *self.lengths.entry(bits.length).or_default() += 1;
            Node::default()
        });
        node.by_low.entry(low).or_default().insert(entry);
        node.by_high.entry(high).or_default().insert(entry);
    }

    pub(super) fn remove(&mut self, low: u64, high: u64, entry: &Entry) {
        let bits = Bits::shared(low, high);
        let Some(node) = self.nodes.get_mut(&bits) else { return };
        for (ends, end) in [(&mut node.by_low, low), (&mut node.by_high, high)] {
            if ends.get_mut(&end).is_some_and(|posting| posting.remove(entry)) {
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

    /// Calls `found` with the entries whose ranges contain the rank, ends included.
    pub(super) fn holding<'r>(&'r self, rank: u64, mut found: impl FnMut(&'r Entry)) {
        for &length in self.lengths.keys() {
            let Some(node) = self.nodes.get(&Bits::of(rank, length)) else { continue };
            let next_bit_is_0 = rank.checked_shr(63 - length.min(63)).unwrap_or(0) & 1 == 0;
            match length == 64 || next_bit_is_0 {
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
