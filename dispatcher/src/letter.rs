//! Letters: events made ready to be sent, to as many webhooks as want them.

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_domain::event::{Event, Rejection};

/// An event, with the body that all its webhooks receive.
pub(crate) struct Letter {
    pub(crate) event_id: String,
    /// The producer's original bytes.
    pub(crate) message: Bytes,
    /// What is posted.
    pub(crate) body: Bytes,
}

impl Letter {
    /// Reads an event that the router has let through.
    pub(crate) fn read(message: Bytes, received_at: Timestamp) -> Result<Self, Rejection> {
        let event = Event::decode(&message, usize::MAX)?;
        Ok(Self { body: event.body(received_at).into(), event_id: event.id, message })
    }
}
