//! Versions of what can be changed, and changes that are based on one of them.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind};

/// A view and the version of what it shows.
#[derive(Debug, Serialize, Deserialize)]
pub struct Versioned<T> {
    /// What is shown.
    pub view: T,
    /// Rises with every change.
    pub revision: i64,
}

/// Which version a change is based on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there, or nothing.
    Anything,
    /// Whatever is there.
    AnyVersion,
    /// One of these.
    OneOf(Vec<i64>),
}

impl Expected {
    /// Whether another change that comes between matters.
    pub(crate) fn is_any(&self) -> bool {
        match self {
            Self::Anything | Self::AnyVersion => true,
            Self::OneOf(_) => false,
        }
    }

    /// Refuses a change that is based on another version than this one.
    pub(crate) fn check(&self, revision: i64) -> Result<(), Error> {
        match self {
            Self::Anything | Self::AnyVersion => Ok(()),
            Self::OneOf(expected) if expected.contains(&revision) => Ok(()),
            Self::OneOf(_) => {
                let detail = format!("it was changed: its version is \"{revision}\" now");
                Err(Error::new(Kind::Changed, detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_refused_only_if_it_is_based_on_another_version() {
        let kind = |expected: Expected| expected.check(7).map_err(|error| error.kind);
        assert_eq!(kind(Expected::Anything), Ok(()));
        assert_eq!(kind(Expected::AnyVersion), Ok(()));
        assert_eq!(kind(Expected::OneOf(vec![6, 7])), Ok(()));
        assert_eq!(kind(Expected::OneOf(vec![6])), Err(Kind::Changed));
        assert_eq!(kind(Expected::OneOf(Vec::new())), Err(Kind::Changed));
    }
}
