//! Times that are asked for.

use jiff::Timestamp;
use posthorn_domain::moment;
use serde::{Deserialize, Serialize};

/// A time between the years 1970 and 9999, RFC 3339 with any offset. The last hours of 9999, which mean "never",
/// are its last moment that can be computed with.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(pub Timestamp);

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let time: moment::Moment = text.parse().map_err(|_: moment::NotAMoment| {
            format!("`{text}` is not a time such as 2026-11-23T09:30:00Z (RFC 3339)")
        })?;
        match time.timestamp() {
            time if time >= Timestamp::UNIX_EPOCH => Ok(Self(time)),
            _ => Err(format!("`{text}` is not between the years 1970 and 9999")),
        }
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_second_of_9999_is_a_time() {
        let read = |text: &str| Moment::try_from(text.to_owned()).map(|moment| moment.0);
        assert_eq!(read("9999-12-31T23:59:59Z"), Ok(Timestamp::MAX));
        assert_eq!(read("1970-01-01T00:00:00Z"), Ok(Timestamp::UNIX_EPOCH));
        assert!(read("1969-12-31T23:59:59Z").is_err() && read("yesterday").is_err());
    }
}
