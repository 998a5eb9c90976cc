//! Wishes by conditions on one field, found by a value of that field.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, net::IpAddr};

use super::{
    by_length::{ByLength, first, last},
    networks::Networks,
    posting::Posting,
    ranges::Ranges,
    wish::Wish,
};
use crate::pattern::{
    decimal::Decimal,
    document::Scalar,
    fold::folded,
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
    /// What a wildcard holds between its stars.
    pieces: ByLength<Posting>,
    ranges: Ranges,
    networks: Networks,
    folded: Folded,
    /// Those that any value may satisfy.
    any: Posting,
}

/// Conditions on text whatever its case.
#[derive(Debug, Default)]
struct Folded {
    texts: HashMap<Box<str>, Posting, ahash::RandomState>,
    prefixes: ByLength<Posting>,
    suffixes: ByLength<Posting>,
}

/// Steps for each look-up.
const LOOK_UP: u64 = 4;

/// Where a wildcard is filed: under its longest literal.
enum Longest<'w> {
    Whole(&'w str),
    Prefix(&'w str),
    Suffix(&'w str),
    Piece(&'w str),
    None,
}

/// Puts a wish in a posting or takes it out; tells whether the posting is empty then.
type Change<'c> = &'c dyn Fn(&mut Posting) -> bool;

impl Conditions {
    pub(super) fn put(&mut self, test: &Test, wish: &Wish) {
        self.change(test, wish, true, &|posting| {
            posting.put(wish);
            false
        });
    }

    pub(super) fn remove(&mut self, test: &Test, wish: &Wish) {
        self.change(test, wish, false, &|posting| posting.remove(wish));
    }

    fn change(&mut self, test: &Test, wish: &Wish, is_new: bool, change: Change<'_>) {
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
                    true => self.ranges.put(low, high, wish),
                    false => self.ranges.remove(low, high, wish),
                }
            }
            Test::Cidr(network) => match is_new {
                true => self.networks.put(network, wish),
                false => self.networks.remove(network, wish),
            },
            Test::Exists | Test::AnythingBut(_) => change_in_place(change, &mut self.any),
            Test::Absent => unreachable!("no anchor asks for what is absent"),
        }
    }

    /// Hands over the wishes that the value may satisfy, perhaps more than once.
    pub(super) fn met_by<'c>(&'c self, value: &Scalar<'_>, found: &mut impl FnMut(&'c Wish)) {
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

    /// How many steps [`Conditions::met_by`] takes, but for what it finds.
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

    fn met_by_text<'c>(&'c self, text: &str, found: &mut impl FnMut(&'c Wish)) {
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
            && by_length.iter().all(|filed| filed.is_empty())
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

fn by_length(filed: &mut ByLength<Posting>, key: &[u8], change: Change<'_>) {
    filed.at(key);
    filed.change(key, change);
}

/// The posting stays where it is, empty or not.
fn change_in_place(change: Change<'_>, posting: &mut Posting) {
    let _is_empty = change(posting);
}

/// Closed ends: the evaluator looks closer.
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
