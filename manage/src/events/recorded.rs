//! What was recorded of an event, read.

use posthorn_domain::event::Event;
use posthorn_store::EventRecord;
use serde_json::value::{RawValue, to_raw_value};

use crate::error::{Error, Kind};

/// What was recorded of an event was read before.
pub(crate) fn decode(found: &EventRecord) -> Result<Event, Error> {
    Event::decode(&found.message, usize::MAX).map_err(|_| broken())
}

pub(crate) fn broken() -> Error {
    Error::new(Kind::Internal, "the recorded event cannot be read")
}

/// An event's data as JSON.
pub(crate) fn data(event: &Event) -> Result<Box<RawValue>, Error> {
    let data = event.data();
    let raw: &RawValue = serde_json::from_str(&data).map_err(|_| broken())?;
    to_raw_value(raw).map_err(|_| broken())
}
