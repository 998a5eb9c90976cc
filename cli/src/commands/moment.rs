//! Times as people give them.

use std::{fmt, str::FromStr};

use jiff::Timestamp;

/// A time: RFC 3339, or how long ago it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(Timestamp);

impl Moment {
    fn read(text: &str, now: Timestamp) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self(at));
        }
        let ago = humantime::parse_duration(text).ok().and_then(|ago| now.checked_sub(ago).ok());
        ago.map(Self)
            .ok_or_else(|| format!("`{text}` is neither a time such as 2026-11-23T09:30:00Z nor one such as 2h, for two hours ago"))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text, Timestamp::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_given_as_such_or_as_how_long_ago() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        let read = |text| Moment::read(text, now).map(|at| at.to_string());
        assert_eq!(read("2h").as_deref(), Ok("2026-11-25T10:00:00Z"));
        assert_eq!(read("2026-11-23T10:30:00+01:00").as_deref(), Ok("2026-11-23T09:30:00Z"));
        assert!(read("yesterday").is_err());
    }
}
