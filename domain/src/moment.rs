//! Times from the year 1 to the very end of 9999, as RFC 3339 and protobuf have them.
//!
//! The last jiff timestamp is 26 hours earlier. Later moments keep their text, and count as that timestamp in
//! computations.

use std::{fmt, str::FromStr};

use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    fmt::temporal::{DateTimePrinter, Pieces, PiecesOffset},
    tz::{Offset, TimeZone},
};
use serde::{Deserialize, Serialize};

/// A time from the year 1 to the end of 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(DateTime);

/// It is not such a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a time between the years 1 and 9999 such as 2026-11-23T09:30:00Z (RFC 3339)")]
pub struct NotAMoment;

impl Moment {
    /// So many seconds and nanoseconds after 1970.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(seconds: i64, nanoseconds: i32) -> Result<Self, NotAMoment> {
        let passed =
            (0..1_000_000_000).contains(&nanoseconds).then(|| SignedDuration::new(seconds, nanoseconds));
        let at =
            passed.and_then(|passed| DateTime::constant(1970, 1, 1, 0, 0, 0, 0).checked_add(passed).ok());
        at.and_then(Self::bounded).ok_or(NotAMoment)
    }

    /// The seconds since 1970, and the nanoseconds behind these.
    pub fn parts(self) -> (i64, i32) {
        let passed = self.0.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
        let (seconds, nanoseconds) = (passed.as_secs(), passed.subsec_nanos());
        if nanoseconds < 0 { (seconds - 1, nanoseconds + 1_000_000_000) } else { (seconds, nanoseconds) }
    }

    /// To compute with.
    pub fn timestamp(self) -> Timestamp {
        let (seconds, nanoseconds) = self.parts();
        Timestamp::new(seconds, nanoseconds).unwrap_or(Timestamp::MAX)
    }

    /// RFC 3339 in UTC with milliseconds, such as `2026-11-23T09:30:00.123Z`.
    pub fn rfc3339_millis(self) -> String {
        written(self.0, Some(3))
    }

    fn bounded(at: DateTime) -> Option<Self> {
        (at.year() >= 1).then_some(Self(at))
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(TimeZone::UTC.to_datetime(at))
    }
}

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let pieces = Pieces::parse(text).map_err(|_| NotAMoment)?;
        let offset = match pieces.offset() {
            Some(PiecesOffset::Zulu) => Offset::UTC,
            Some(PiecesOffset::Numeric(offset)) => offset.offset(),
            _ => return Err(NotAMoment),
        };
        let local = DateTime::from_parts(pieces.date(), pieces.time().ok_or(NotAMoment)?);
        let behind = SignedDuration::from_secs(offset.seconds().into());
        local.checked_sub(behind).ok().and_then(Self::bounded).ok_or(NotAMoment)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(self.0, None))
    }
}

impl TryFrom<String> for Moment {
    type Error = NotAMoment;

    fn try_from(text: String) -> Result<Self, NotAMoment> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

fn written(at: DateTime, precision: Option<u8>) -> String {
    let mut text = String::with_capacity(30);
    let printer = DateTimePrinter::new().precision(precision);
    printer.print_datetime(&at, &mut text).expect("writing into memory cannot fail");
    text.push('Z');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_second_of_9999_is_a_time() {
        for (text, same, millis) in [
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
            ("9999-12-31T23:59:59.9999+00:00", "9999-12-31T23:59:59.9999Z", "9999-12-31T23:59:59.999Z"),
            ("2026-11-23T10:30:00.1+01:00", "2026-11-23T09:30:00.1Z", "2026-11-23T09:30:00.100Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!((moment.to_string().as_str(), moment.rfc3339_millis().as_str()), (same, millis));
            let (seconds, nanoseconds) = moment.parts();
            assert_eq!(Moment::new(seconds, nanoseconds), Ok(moment), "{text}");
        }
    }

    #[test]
    fn what_is_no_such_time_is_refused() {
        for text in [
            "",
            "9999-12-31T23:59:59-01:00",
            "2026-11-23",
            "2026-11-23T09:30:00",
            "yesterday",
            "10000-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
        assert!(Moment::new(253_402_300_800, 0).is_err() && Moment::new(0, -1).is_err());
        assert!(Moment::new(-62_135_596_801, 0).is_err() && Moment::new(i64::MAX, 0).is_err());
    }

    #[test]
    fn it_counts_as_the_last_moment_that_can_be_computed_with() {
        let end: Moment = "9999-12-31T23:59:59Z".parse().unwrap();
        assert_eq!(end.timestamp(), Timestamp::MAX);
        let now: Timestamp = "2026-11-23T09:30:00.123456789Z".parse().unwrap();
        assert_eq!(Moment::from(now).timestamp(), now);
    }
}
