//! Times to and from `google.protobuf.Timestamp`.

use jiff::Timestamp;

pub(crate) fn write(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

/// The time, or what is wrong with it in words.
pub(crate) fn read(time: Option<prost_types::Timestamp>) -> Result<Timestamp, String> {
    let time = time.ok_or("a time is missing")?;
    Timestamp::new(time.seconds, time.nanos).map_err(|error| error.to_string())
}
