//! Values that contain no others.

use std::borrow::Cow;

use super::decimal::Decimal;

/// The load of a text is the number of times that it has so many bytes.
const LONG: usize = 64;

/// A string, number, `true`, `false` or `null` of an event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Decimal),
    /// A number that serde_json has rounded to a double.
    Rounded(Decimal),
    Text(Cow<'a, str>),
}

impl Scalar<'_> {
    /// What comparing it costs beyond a short value, in multiples of one.
    pub(crate) fn load(&self) -> usize {
        match self {
            Self::Text(text) => text.len() / LONG,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Rounded(_) => 0,
        }
    }

    pub(crate) fn into_owned(self) -> Scalar<'static> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(truth) => Scalar::Bool(truth),
            Self::Number(number) => Scalar::Number(number),
            Self::Rounded(number) => Scalar::Rounded(number),
            Self::Text(text) => Scalar::Text(text.into_owned().into()),
        }
    }
}
