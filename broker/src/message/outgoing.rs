//! What can be sent.

use std::time::Duration;

use bytes::Bytes;
use lapin::{BasicProperties, types::ShortString};
use posthorn_domain::id::{EventRef, WebhookId};
use posthorn_proto::{CONTENT_TYPE, EVENT_TYPE, v1};
use posthorn_publisher::confirm::Publication;
use prost::Message as _;

use super::headers::DeliveryHeaders;
use crate::names::Names;

/// Marks what Posthorn itself publishes among events. It keeps others from taking our event types by
/// mistake; whoever may publish to the exchange could set it too.
pub(super) const OWN_APP_ID: &str = "posthorn";

/// What brings a batch from a delay queue to the dispatchers.
pub(crate) const BATCHES_KEY: &str = "batches";

const BATCH_TYPE: &str = "posthorn.v1.DeliveryBatch";
const JOURNAL_TYPE: &str = "posthorn.v1.JournalBatch";

/// A delivery in a message of its own.
#[derive(Debug, Clone)]
pub struct DeliveryMessage {
    /// The webhook that it is for.
    pub webhook_id: WebhookId,
    /// The event that it brings.
    pub event: EventRef,
    /// The event as its producer wrote it.
    pub message: Bytes,
    /// What travels with it.
    pub headers: DeliveryHeaders,
}

/// What can be sent. Its consumers find it in the [`Queue`](crate::Queue) of that name.
#[derive(Debug, Clone)]
pub enum Outgoing {
    /// A delivery batch, from a router to whichever dispatcher takes it.
    Batch(Bytes),
    /// A delivery to its webhook's queue; among the orphans if there is none.
    Delivery(DeliveryMessage),
    /// A delivery that comes to its webhook's queue after a delay, which is one of the schedule's.
    Retry {
        /// How long it waits.
        delay: Duration,
        /// What comes then.
        delivery: DeliveryMessage,
    },
    /// A delivery batch that comes to a dispatcher after a delay: a retry that passes its webhook's queue by.
    DelayedBatch {
        /// How long it waits.
        delay: Duration,
        /// What comes then.
        batch: Bytes,
        /// Of its delivery.
        headers: DeliveryHeaders,
    },
    /// A delivery that came back again and again, to be attempted alone.
    Suspect(DeliveryMessage),
    /// An event of Posthorn's own, to the routers.
    OwnEvent(v1::Event),
    /// A batch of journal entries, to the recorders.
    Journal(Bytes),
}

impl Outgoing {
    pub(crate) fn publication(self, names: &Names) -> Publication {
        match self {
            Self::Batch(body) => internal(names.batches(), BATCH_TYPE, body),
            Self::Delivery(delivery) => delivery.publication(names.deliveries()),
            Self::Retry { delay, delivery } => delivery.publication(names.retry(delay)),
            Self::DelayedBatch { delay, batch, headers } => {
                let batch = internal(names.retry(delay), BATCH_TYPE, batch);
                let properties = batch.properties.with_headers(headers.write());
                Publication { routing_key: BATCHES_KEY.into(), properties, ..batch }
            }
            Self::Suspect(delivery) => delivery.publication(names.suspect_deliveries()),
            Self::OwnEvent(event) => own_event(&event, names),
            Self::Journal(body) => internal(names.journal(), JOURNAL_TYPE, body),
        }
    }
}

impl DeliveryMessage {
    fn publication(self, exchange: String) -> Publication {
        let properties = persistent(EVENT_TYPE)
            .with_message_id(self.event.to_string().into())
            .with_headers(self.headers.write());
        let routing_key = self.webhook_id.to_string().into();
        mandatory(exchange, routing_key, properties, self.message)
    }
}

fn own_event(event: &v1::Event, names: &Names) -> Publication {
    let mut properties = persistent(EVENT_TYPE).with_app_id(OWN_APP_ID.into());
    if let Ok(id) = ShortString::try_new(&*event.id) {
        properties = properties.with_message_id(id);
    }
    mandatory(names.events(), event.r#type.as_str().into(), properties, event.encode_to_vec().into())
}

/// What travels between our own processes, to a queue of its own.
fn internal(exchange: String, message_type: &'static str, body: Bytes) -> Publication {
    mandatory(exchange, ShortString::default(), persistent(message_type), body)
}

fn persistent(message_type: &'static str) -> BasicProperties {
    BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type(CONTENT_TYPE.into())
        .with_type(message_type.into())
}

/// Every message is mandatory: one that no queue takes is returned, and fails its session. An alternate
/// exchange that has lost its queue, too, would swallow it without a word.
fn mandatory(
    exchange: String,
    routing_key: ShortString,
    properties: BasicProperties,
    body: Bytes,
) -> Publication {
    Publication { exchange: exchange.into(), routing_key, properties, body, mandatory: true }
}
