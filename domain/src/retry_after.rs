//! The `Retry-After` header (RFC 9110, section 10.2.3): a number of seconds or an HTTP date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Nobody means more than this; the retry queues bound it further.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Reads the header's value at the time `now`. A date in the past asks for no wait; `None` if it is
/// neither a number nor a date.
pub fn read(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let asked = match !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        true => value.parse().map_or(LONGEST, Duration::from_secs),
        false => until(httpdate::parse_http_date(value).ok()?, now),
    };
    Some(asked.min(LONGEST))
}

fn until(date: SystemTime, now: Timestamp) -> Duration {
    let date = date.duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Duration::from_nanos(now.as_nanosecond().try_into().unwrap_or_default());
    date.saturating_sub(now)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().unwrap();
        let table = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(LONGEST.as_secs())),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(7)),
            ("Sun Nov  6 08:49:37 1994", Some(7)),
            ("Sun, 06 Nov 1994 08:49:20 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(LONGEST.as_secs())),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ];
        for (value, expected) in table {
            assert_eq!(read(value, now), expected.map(Duration::from_secs), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_never_asks_for_more_than_the_bound(value in ".{0,40}") {
            prop_assert!(read(&value, Timestamp::UNIX_EPOCH).unwrap_or_default() <= LONGEST);
        }
    }
}
