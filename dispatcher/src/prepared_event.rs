//! Prepared events: events made ready to be sent, to as many webhooks as want them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_broker::{DeliveryHeaders, DeliveryMessage};
use posthorn_domain::{
    event::{ContentDigest, Event, Field, Rejection},
    id::{EventId, EventRef, WebhookId},
};
use posthorn_timing::{Panicked, failpoint};

/// An event, with the request body that all its webhooks receive.
pub(crate) struct PreparedEvent {
    pub(crate) event: EventRef,
    /// Tells it from other content that came with the same id.
    pub(crate) digest: ContentDigest,
    pub(crate) event_id: EventId,
    pub(crate) event_type: String,
    pub(crate) company_id: String,
    /// The producer's original bytes.
    pub(crate) message: Bytes,
    /// What is posted.
    pub(crate) body: Bytes,
}

impl PreparedEvent {
    /// Reads an event that the router has let through. One that panics is rejected: nobody can send it, and it
    /// must not take along what came with it.
    pub(crate) fn read(message: &Bytes, received_at: Timestamp) -> Result<Self, Rejection> {
        let reading = || Self::read_here(message.clone(), received_at);
        catch_unwind(AssertUnwindSafe(reading)).unwrap_or_else(|panic| {
            let reason = format!("cannot be read: {}", Panicked::new(&*panic));
            Err(Rejection { field: Field::Message, reason })
        })
    }

    fn read_here(message: Bytes, received_at: Timestamp) -> Result<Self, Rejection> {
        failpoint("dispatcher.read");
        let event = Event::decode(&message, usize::MAX)?;
        let (body, digest, event_ref) = (event.body(received_at).into(), event.digest(), event.event_ref());
        let Event { id: event_id, event_type, company_id, .. } = event;
        Ok(Self { event: event_ref, digest, event_id, event_type, company_id, message, body })
    }

    /// The message that brings it to a webhook.
    pub(crate) fn to(&self, webhook_id: WebhookId, headers: DeliveryHeaders) -> DeliveryMessage {
        DeliveryMessage { webhook_id, event: self.event, message: self.message.clone(), headers }
    }
}
