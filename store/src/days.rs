//! Days: what is partitioned lies on the day of its time, in UTC.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// The day of a time, in UTC.
pub(crate) fn day_of(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}
