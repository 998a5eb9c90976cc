//! The syntax tree of a pattern.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    decimal::Decimal,
    fold::{folded, is_plain},
    scalar::Scalar,
    wildcard::Wildcard,
};

/// A pattern with every `$or` multiplied out: one of its branches must match.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Tree {
    pub(crate) first: Box<[Field]>,
    pub(crate) others: Box<[Box<[Field]>]>,
}

/// What must hold for one field of an object. Small, since there may be millions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Field {
    /// Its name; where a name has only one below it, both joined by a dot.
    pub(crate) path: Box<str>,
    /// One of these must hold for a value of the field; empty if the pattern does not restrict its values.
    pub(crate) tests: Box<[Test]>,
    /// All of these must hold for the object that is the field's value, or one in its array.
    pub(crate) fields: Box<[Field]>,
}

impl Tree {
    /// How many tests it makes of an event: the values of all fields, in each branch.
    pub(crate) fn tests(&self) -> usize {
        self.branches().flatten().map(Field::tests).sum()
    }

    pub(crate) fn branches(&self) -> impl Iterator<Item = &[Field]> {
        std::iter::once(&*self.first).chain(self.others.iter().map(|branch| &**branch))
    }
}

impl Field {
    fn tests(&self) -> usize {
        let here: usize = self.tests.iter().map(Test::size).sum();
        here + self.fields.iter().map(Field::tests).sum::<usize>()
    }
}

/// One entry in a field's list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    Null,
    Bool(bool),
    Number(Box<Decimal>),
    Text(Box<str>),
    /// These hold the text folded.
    TextIgnoringCase(Box<str>),
    Prefix(Box<str>),
    PrefixIgnoringCase(Box<str>),
    Suffix(Box<str>),
    SuffixIgnoringCase(Box<str>),
    Wildcard(Wildcard),
    Range(Box<Range>),
    Cidr(Box<IpNet>),
    Exists,
    Absent,
    AnythingBut(Box<[Test]>),
}

/// Numbers between two ends, of which one may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Range {
    pub(crate) low: Option<End>,
    pub(crate) high: Option<End>,
}

/// An end of a range.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct End {
    pub(crate) number: Decimal,
    /// Whether the number itself is in the range.
    pub(crate) is_in: bool,
}

impl Test {
    /// How many values it compares with.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::AnythingBut(tests) => tests.len(),
            _ => 1,
        }
    }

    /// The steps of [`Test::holds_for`]; a step is some nanoseconds.
    pub(crate) fn cost(&self, scalar: &Scalar<'_>) -> u64 {
        let length = if let Scalar::Text(text) = scalar { text.len() } else { 0 };
        let cost = match self {
            // Compared to the first byte that differs.
            Self::Text(wanted) | Self::Prefix(wanted) | Self::Suffix(wanted) => 1 + wanted.len() / 256,
            Self::Wildcard(_) => 1 + length / 8,
            // Reads the whole text, and folds it letter by letter unless it is plain.
            Self::TextIgnoringCase(_) | Self::PrefixIgnoringCase(_) | Self::SuffixIgnoringCase(_) => {
                let is_plain = matches!(scalar, Scalar::Text(text) if is_plain(text));
                1 + if is_plain { length / 8 } else { 4 * length }
            }
            Self::Cidr(_) => 8,
            Self::Range(_) => 2,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Exists | Self::Absent => 1,
            Self::AnythingBut(tests) => {
                return 1 + tests.iter().map(|test| test.cost(scalar)).sum::<u64>();
            }
        };
        cost as u64
    }

    /// Whether it holds for one value. [`Test::Absent`] holds for none.
    pub(crate) fn holds_for(&self, scalar: &Scalar<'_>) -> bool {
        match (self, scalar) {
            (Self::Exists, _) | (Self::Null, Scalar::Null) => true,
            (Self::AnythingBut(tests), _) => !tests.iter().any(|test| test.holds_for(scalar)),
            (Self::Bool(wanted), Scalar::Bool(seen)) => wanted == seen,
            (Self::Number(wanted), Scalar::Number(seen)) => **wanted == *seen,
            (Self::Number(wanted), Scalar::Rounded(seen)) => wanted.rounded() == *seen,
            (Self::Range(range), Scalar::Number(seen)) => range.holds(seen),
            (Self::Range(range), Scalar::Rounded(seen)) => range.rounded().holds(seen),
            (_, Scalar::Text(seen)) => self.holds_for_text(seen),
            (_, Scalar::Null | Scalar::Bool(_) | Scalar::Number(_) | Scalar::Rounded(_)) => false,
        }
    }

    fn holds_for_text(&self, seen: &str) -> bool {
        match self {
            Self::Text(wanted) => **wanted == *seen,
            Self::TextIgnoringCase(wanted) => **wanted == *folded(seen),
            Self::Prefix(wanted) => seen.starts_with(&**wanted),
            Self::PrefixIgnoringCase(wanted) => folded(seen).starts_with(&**wanted),
            Self::Suffix(wanted) => seen.ends_with(&**wanted),
            Self::SuffixIgnoringCase(wanted) => folded(seen).ends_with(&**wanted),
            Self::Wildcard(wildcard) => wildcard.matches(seen),
            Self::Cidr(network) => seen.parse::<IpAddr>().is_ok_and(|address| network.contains(&address)),
            Self::Exists | Self::AnythingBut(_) => unreachable!("asked for every kind of value"),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Range(_) | Self::Absent => false,
        }
    }
}

impl Range {
    fn rounded(&self) -> Self {
        let rounded = |end: &End| End { number: end.number.rounded(), is_in: end.is_in };
        Self { low: self.low.as_ref().map(rounded), high: self.high.as_ref().map(rounded) }
    }

    fn holds(&self, number: &Decimal) -> bool {
        let above =
            self.low.as_ref().is_none_or(|low| *number > low.number || low.is_in && *number == low.number);
        let below = self
            .high
            .as_ref()
            .is_none_or(|high| *number < high.number || high.is_in && *number == high.number);
        above && below
    }
}
