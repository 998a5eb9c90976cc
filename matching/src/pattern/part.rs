//! A part of an event: what patterns are compared with.

use std::borrow::Cow;

use super::scalar::Scalar;

/// A value in an event, with only the fields that patterns use. Arrays inside arrays are one array.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part<'a> {
    Scalar(Scalar<'a>),
    Array(Vec<Part<'a>>),
    /// Sorted by name.
    Object(Fields<'a>),
}

pub(crate) type Fields<'a> = Vec<(Cow<'a, str>, Part<'a>)>;

impl<'a> Part<'a> {
    /// The value of an object's field.
    pub(crate) fn field(&self, name: &str) -> Option<&Part<'a>> {
        match self {
            Self::Object(fields) => {
                let place = fields.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
                Some(&fields[place].1)
            }
            Self::Array(_) | Self::Scalar(_) => None,
        }
    }

    /// The value, if it holds no others.
    pub(crate) fn scalar(&self) -> Option<&Scalar<'a>> {
        match self {
            Self::Scalar(scalar) => Some(scalar),
            Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// What it holds as an array, or itself.
    pub(crate) fn elements(&self) -> &[Part<'a>] {
        match self {
            Self::Array(items) => items,
            Self::Object(_) | Self::Scalar(_) => std::slice::from_ref(self),
        }
    }

    /// How much more there is in it to be compared than one short value in each field: the values in its
    /// arrays, and the length of its texts.
    pub(crate) fn load(&self) -> usize {
        let below: usize = match self {
            Self::Scalar(_) => 0,
            Self::Array(items) => items.iter().map(Part::load).sum(),
            Self::Object(fields) => fields.iter().map(|(_, part)| part.load()).sum(),
        };
        self.own_load() + below
    }

    /// The same without what is in its elements and fields.
    pub(crate) fn own_load(&self) -> usize {
        match self {
            Self::Scalar(scalar) => scalar.load(),
            Self::Array(items) => items.len(),
            Self::Object(_) => 0,
        }
    }
}
