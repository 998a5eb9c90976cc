//! The entries of the journal.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    event::{ContentDigest, Field},
    id::{AttemptId, EventId, EventRef, WebhookId},
    outcome::{Outcome, Phases},
    step::Step,
};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// An event was matched, and all its deliveries are safe in the broker.
    Routed(Routed),
    /// A message is no event.
    Rejected(Rejected),
    /// An attempt was made.
    Attempted(Box<Attempted>),
    /// A delivery's webhook is gone.
    Dropped(Dropped),
}

/// An event was matched, and all its deliveries are safe in the broker.
#[derive(Debug, Clone, PartialEq)]
pub struct Routed {
    /// The producer's original bytes.
    pub message: Bytes,
    /// When the router took it.
    pub received_at: Timestamp,
    /// The webhooks that want it.
    pub webhook_ids: Vec<WebhookId>,
}

/// A message is no event.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// Given by the router: a redelivered batch changes nothing.
    pub id: Uuid,
    /// When the router refused it.
    pub rejected_at: Timestamp,
    /// The field at fault.
    pub field: Field,
    /// What is wrong with it.
    pub reason: String,
    /// The AMQP routing key it came with.
    pub routing_key: String,
    /// The AMQP message id it came with.
    pub message_id: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its bytes; only the beginning of one that is larger than the journal takes.
    pub message: Bytes,
}

/// An attempt was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempted {
    /// Given by the dispatcher: a redelivered batch changes nothing.
    pub id: AttemptId,
    /// The event's id.
    pub event_id: EventId,
    /// Its type.
    pub event_type: String,
    /// Its company.
    pub company_id: String,
    /// Which content was sent, should two have come with one id.
    pub digest: ContentDigest,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The webhook's epoch.
    pub epoch: u32,
    /// Counted from 1.
    pub attempt: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// What it came to.
    pub outcome: Outcome,
    /// How long its parts took.
    pub phases: Phases,
    /// Where it went, if there was no answer.
    pub address: Option<IpAddr>,
    /// The answer's headers, as far as they are kept.
    pub response_headers: Vec<(String, String)>,
    /// The beginning of the answer, as text; empty if there was none.
    pub response_body: String,
    /// What follows.
    pub step: Step<Timestamp>,
    /// When the delivery's first attempt of this epoch began.
    pub first_attempt_at: Timestamp,
}

/// A delivery's webhook is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropped {
    /// The event's id.
    pub event_id: EventId,
    /// Its company.
    pub company_id: String,
    /// The webhook that was.
    pub webhook_id: WebhookId,
    /// When the router dropped it.
    pub dropped_at: Timestamp,
    /// Why, in words.
    pub reason: String,
}

impl Attempted {
    /// The event.
    pub fn event_ref(&self) -> EventRef {
        EventRef::new(&self.company_id, self.event_id.as_str())
    }
}

impl Dropped {
    /// The event.
    pub fn event_ref(&self) -> EventRef {
        EventRef::new(&self.company_id, self.event_id.as_str())
    }
}

impl Entry {
    /// About how many bytes it takes on the wire.
    pub fn size(&self) -> usize {
        match self {
            Self::Routed(routed) => routed.message.len() + 18 * routed.webhook_ids.len() + 32,
            Self::Rejected(rejected) => rejected.message.len() + rejected.reason.len() + 600,
            Self::Attempted(attempted) => {
                let headers = attempted.response_headers.iter();
                let headers: usize = headers.map(|(name, value)| name.len() + value.len() + 6).sum();
                attempted.response_body.len() + headers + 1024
            }
            Self::Dropped(_) => 512,
        }
    }
}
