//! Entries by conditions on one field, found by a value of that field.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, net::IpAddr};

use super::{
    by_length::{ByLength, first, last},
    entry::Entry,
    networks::Networks,
    posting::Posting,
    ranges::Ranges,
};
use crate::pattern::{
    decimal::Decimal,
    fold::folded,
    scalar::Scalar,
    tree::{Range, Test},
    wildcard::Wildcard,
};

#[derive(Debug, Default)]
pub(super) struct Conditions {
    texts: HashMap<Box<str>, Posting, ahash::RandomState>,
    numbers: HashMap<Decimal, Posting, ahash::RandomState>,
    nulls: Posting,
    bools: [Posting; 2],
    prefixes: ByLength<Posting>,
    suffixes: ByLength<Posting>,
    /// A literal between two stars of a wildcard.
    pieces: ByLength<Posting>,
    ranges: Ranges,
    networks: Networks,
    folded: Folded,
    /// Conditions that any value may meet.
    any: Posting,
}

/// Conditions on text that ignore case.
#[derive(Debug, Default)]
struct Folded {
    texts: HashMap<Box<str>, Posting, ahash::RandomState>,
    prefixes: ByLength<Posting>,
    suffixes: ByLength<Posting>,
}

/// Steps for one look-up in a map.
const LOOK_UP: u64 = 4;

/// The key of a wildcard: its longest literal.
enum Longest<'w> {
    Whole(&'w str),
    Prefix(&'w str),
    Suffix(&'w str),
    Piece(&'w str),
    None,
}

/// Inserts an entry into a posting or removes it; returns whether the posting is to be removed.
type Change<'c> = &'c dyn Fn(&mut Posting) -> bool;

impl Conditions {
    pub(super) fn insert(&mut self, test: &Test, entry: &Entry) {
        self.change(test, entry, true, &|posting| {
            posting.insert(entry);
            false
        });
    }

    pub(super) fn remove(&mut self, test: &Test, entry: &Entry) {
        self.change(test, entry, false, &|posting| posting.remove(entry));
    }

    fn change(&mut self, test: &Test, entry: &Entry, is_new: bool, change: Change<'_>) {
        match test {
            Test::Text(text) => in_map::<Box<str>, str>(&mut self.texts, text, change),
            Test::Number(number) => in_map::<Decimal, Decimal>(&mut self.numbers, number, change),
            Test::Null => change_in_place(change, &mut self.nulls),
            Test::Bool(truth) => change_in_place(change, &mut self.bools[usize::from(*truth)]),
            Test::TextIgnoringCase(text) => in_map::<Box<str>, str>(&mut self.folded.texts, text, change),
            Test::Prefix(text) => by_length(&mut self.prefixes, first(text), change),
            Test::Suffix(text) => by_length(&mut self.suffixes, last(text), change),
            Test::PrefixIgnoringCase(text) => {
                by_length(&mut self.folded.prefixes, first(text), change);
            }
            Test::SuffixIgnoringCase(text) => {
                by_length(&mut self.folded.suffixes, last(text), change);
            }
            Test::Wildcard(wildcard) => match longest(wildcard) {
                Longest::Whole(text) => in_map::<Box<str>, str>(&mut self.texts, text, change),
                Longest::Prefix(text) => by_length(&mut self.prefixes, first(text), change),
                Longest::Suffix(text) => by_length(&mut self.suffixes, last(text), change),
                Longest::Piece(text) => by_length(&mut self.pieces, last(text), change),
                Longest::None => change_in_place(change, &mut self.any),
            },
            Test::Range(range) => {
                let (low, high) = ends(range);
                match is_new {
                    true => self.ranges.insert(low, high, entry),
                    false => self.ranges.remove(low, high, entry),
                }
            }
            Test::Cidr(network) => match is_new {
                true => self.networks.insert(network, entry),
                false => self.networks.remove(network, entry),
            },
            Test::Exists | Test::AnythingBut(_) => change_in_place(change, &mut self.any),
            Test::Absent => unreachable!("no anchor asks for what is absent"),
        }
    }

    /// Calls `found` with the entries whose conditions the value may meet, some more than once.
    pub(super) fn met_by<'c>(&'c self, value: &Scalar<'_>, found: &mut impl FnMut(&'c Entry)) {
        self.any.each(&mut *found);
        match value {
            Scalar::Null => self.nulls.each(&mut *found),
            Scalar::Bool(truth) => self.bools[usize::from(*truth)].each(&mut *found),
            Scalar::Number(number) | Scalar::Rounded(number) => {
                self.numbers.get(number).into_iter().for_each(|posting| posting.each(&mut *found));
                self.ranges.holding(number.rank(), &mut *found);
            }
            Scalar::Text(text) => self.met_by_text(text, found),
        }
    }

    /// How many steps [`Conditions::met_by`] takes, without those for what it finds.
    pub(super) fn cost(&self, value: &Scalar<'_>) -> u64 {
        let look_ups = match value {
            Scalar::Null | Scalar::Bool(_) => 0,
            Scalar::Number(_) | Scalar::Rounded(_) => 1 + self.ranges.lengths(),
            Scalar::Text(text) => {
                let ends = self.prefixes.lengths() + self.suffixes.lengths();
                let folded = self.folded.prefixes.lengths() + self.folded.suffixes.lengths();
                // A look-up reads up to 32 bytes. Folding reads the whole text.
                let folding = if self.folded.is_empty() { 0 } else { text.len() };
                3 + ends + folded + folding + self.pieces.lengths() * text.len() + value.load()
            }
        };
        LOOK_UP * look_ups as u64
    }

    fn met_by_text<'c>(&'c self, text: &str, found: &mut impl FnMut(&'c Entry)) {
        let mut all = |posting: &'c Posting| posting.each(&mut *found);
        self.texts.get(text).into_iter().for_each(&mut all);
        self.prefixes.beginning(text.as_bytes(), &mut all);
        self.suffixes.ending(text.as_bytes(), &mut all);
        self.pieces.inside(text.as_bytes(), &mut all);
        if !self.folded.is_empty() {
            let text = folded(text);
            self.folded.texts.get(&*text).into_iter().for_each(&mut all);
            self.folded.prefixes.beginning(text.as_bytes(), &mut all);
            self.folded.suffixes.ending(text.as_bytes(), &mut all);
        }
        if !self.networks.is_empty()
            && let Ok(address) = text.parse::<IpAddr>()
        {
            self.networks.holding(address, found);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let postings = [&self.nulls, &self.bools[0], &self.bools[1], &self.any];
        let by_length = [&self.prefixes, &self.suffixes, &self.pieces];
        postings.iter().all(|posting| posting.is_empty())
            && by_length.iter().all(|index| index.is_empty())
            && self.texts.is_empty()
            && self.numbers.is_empty()
            && self.ranges.is_empty()
            && self.networks.is_empty()
            && self.folded.is_empty()
    }
}

impl Folded {
    fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.prefixes.is_empty() && self.suffixes.is_empty()
    }
}

fn in_map<K: Hash + Eq + Borrow<Q>, Q: Hash + Eq + ToOwned + ?Sized>(
    map: &mut HashMap<K, Posting, ahash::RandomState>,
    key: &Q,
    change: Change<'_>,
) where
    Q::Owned: Into<K>,
{
    if !map.contains_key(key) {
        map.insert(key.to_owned().into(), Posting::None);
    }
    if map.get_mut(key).is_some_and(change) {
        map.remove(key);
    }
}

fn by_length(index: &mut ByLength<Posting>, key: &[u8], change: Change<'_>) {
    index.at(key);
    index.change(key, change);
}

/// The posting is a field of its own, which stays when it is empty.
fn change_in_place(change: Change<'_>, posting: &mut Posting) {
    let _is_empty = change(posting);
}

/// The range with closed ends; the evaluator excludes open ends.
fn ends(range: &Range) -> (u64, u64) {
    let low = range.low.as_ref().map_or(0, |end| end.number.rank());
    let high = range.high.as_ref().map_or(u64::MAX, |end| end.number.rank());
    (low, high)
}

fn longest(wildcard: &Wildcard) -> Longest<'_> {
    let [first, between @ .., last] = wildcard.literals() else {
        return Longest::Whole(&wildcard.literals()[0]);
    };
    let piece = between.iter().max_by_key(|literal| literal.len()).map_or("", |literal| literal);
    match first.len().max(last.len()).max(piece.len()) {
        0 => Longest::None,
        most if first.len() == most => Longest::Prefix(first),
        most if last.len() == most => Longest::Suffix(last),
        _ => Longest::Piece(piece),
    }
}
