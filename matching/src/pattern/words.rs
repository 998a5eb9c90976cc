//! A pattern's tests in words.

use std::fmt;

use super::{
    scalar::Scalar,
    tree::{End, Range, Test},
};

/// All of a field's tests: any of them is enough.
pub(crate) fn any_of(tests: &[Test]) -> String {
    let words: Vec<_> = tests.iter().map(ToString::to_string).collect();
    words.join(" or ")
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::TextIgnoringCase(text) => write!(f, "{text:?} in any case"),
            Self::Prefix(text) => write!(f, "text that begins with {text:?}"),
            Self::PrefixIgnoringCase(text) => write!(f, "text that begins with {text:?} in any case"),
            Self::Suffix(text) => write!(f, "text that ends with {text:?}"),
            Self::SuffixIgnoringCase(text) => write!(f, "text that ends with {text:?} in any case"),
            Self::Wildcard(wildcard) => write!(f, "text like {:?}", wildcard.to_string()),
            Self::Range(range) => write!(f, "{range}"),
            Self::Cidr(network) => write!(f, "an address in {network}"),
            Self::Exists => f.write_str("any value"),
            Self::Absent => f.write_str("no value"),
            Self::AnythingBut(tests) => write!(f, "a value that is not {}", any_of(tests)),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let low = |End { number, is_in }: &End| {
            if *is_in { format!("at least {number}") } else { format!("above {number}") }
        };
        let high = |End { number, is_in }: &End| {
            if *is_in { format!("at most {number}") } else { format!("below {number}") }
        };
        let ends = [self.low.as_ref().map(low), self.high.as_ref().map(high)];
        let ends: Vec<_> = ends.into_iter().flatten().collect();
        write!(f, "a number {}", ends.join(" and "))
    }
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Number(number) | Self::Rounded(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}
