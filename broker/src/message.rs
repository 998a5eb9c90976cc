//! Messages as Posthorn sees them: the payload, the ids and its own headers.
//!
//! Headers are always made afresh: a copied `x-death` makes the broker take a retry for a cycle and
//! drop it.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use lapin::{
    BasicProperties,
    message::Delivery,
    types::{AMQPValue, FieldTable, ShortString},
};
use posthorn_domain::{
    event::Rejection,
    id::{EventRef, WebhookId},
    journal::{Entry, Rejected},
    trace_context::TraceContext,
};
use posthorn_proto::{CONTENT_TYPE, EVENT_TYPE, v1};
use posthorn_publisher::confirm::Publication;
use prost::Message as _;
use uuid::Uuid;

use crate::names::Names;

const ATTEMPT: &str = "posthorn-attempt";
const EPOCH: &str = "posthorn-epoch";
const RECEIVED_AT: &str = "posthorn-received-at";
const CANARY: &str = "posthorn-canary";
const FORGIVEN: &str = "posthorn-forgiven";
const FIRST_ATTEMPT_AT: &str = "posthorn-first-attempt-at";
/// The name under which RabbitMQ itself can note the time.
const PUBLISHED_AT: &str = "timestamp_in_ms";
const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
const DELIVERY_COUNT: &str = "x-delivery-count";

/// Marks what Posthorn itself publishes among events. It keeps others from taking our event types by
/// mistake; whoever may publish to the exchange could set it too.
const OWN_APP_ID: &str = "posthorn";

/// What brings a batch from a delay queue to the dispatchers.
pub(crate) const BATCHES_KEY: &str = "batches";

const BATCH_TYPE: &str = "posthorn.v1.DeliveryBatch";
const JOURNAL_TYPE: &str = "posthorn.v1.JournalBatch";

/// Bytes of a rejected message that are kept at most.
const MOST_KEPT: usize = 1 << 20;

/// A message from a queue.
#[derive(Debug, Clone)]
pub struct Message {
    /// The payload.
    pub body: Bytes,
    /// The routing key it was published with.
    pub routing_key: String,
    /// Its AMQP message id; empty if it has none.
    pub message_id: String,
    /// Posthorn's own headers.
    pub headers: DeliveryHeaders,
    /// The program that published it says so; empty if it doesn't.
    pub app_id: String,
    /// How often it came back to the queue unacknowledged, where the queue counts that. What its publisher
    /// says of it means nothing.
    pub returns: u32,
}

/// What travels with a delivery besides the event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryHeaders {
    /// The number of the next attempt; missing on the first.
    pub attempt: Option<u32>,
    /// The webhook's epoch in which the retry was made; missing on the first.
    pub epoch: Option<u32>,
    /// When the event was published, if its message tells.
    pub published_at: Option<Timestamp>,
    /// When the router took the event.
    pub received_at: Option<Timestamp>,
    /// When the first attempt of this epoch began; missing on the first.
    pub first_attempt_at: Option<Timestamp>,
    /// Whether it is its webhook's canary: it keeps to the retry schedule past an open circuit breaker.
    pub is_canary: bool,
    /// How many attempts with this number were put down to our own network.
    pub forgiven: u32,
    /// The parent of the attempts: the event's routing, or the producer's span.
    pub trace: Option<TraceContext>,
}

impl Message {
    pub(crate) fn read(delivery: Delivery) -> Self {
        let headers = delivery.properties.headers().as_ref();
        let text =
            |property: &Option<ShortString>| property.as_ref().map(ToString::to_string).unwrap_or_default();
        Self {
            headers: headers.map(DeliveryHeaders::read).unwrap_or_default(),
            returns: headers
                .filter(|_| delivery.redelivered)
                .and_then(|table| number(table, DELIVERY_COUNT))
                .unwrap_or_default(),
            message_id: text(delivery.properties.message_id()),
            app_id: text(delivery.properties.app_id()),
            routing_key: delivery.routing_key.to_string(),
            body: delivery.data.into(),
        }
    }

    /// Its journal entry if it turns out to be no event, with its bytes, as far as a message takes them.
    pub fn rejected(self, rejection: Rejection) -> Entry {
        Entry::Rejected(Rejected {
            id: Uuid::now_v7(),
            rejected_at: Timestamp::now(),
            field: rejection.field,
            reason: rejection.reason,
            routing_key: self.routing_key,
            message_id: self.message_id,
            size: self.body.len() as u64,
            message: self.body.slice(..self.body.len().min(MOST_KEPT)),
        })
    }

    /// Whether Posthorn itself has published it.
    pub fn is_own(&self) -> bool {
        self.app_id == OWN_APP_ID
    }

    /// The webhook that a delivery is for, if the routing key is one's id.
    pub fn webhook_id(&self) -> Option<WebhookId> {
        self.routing_key.parse().ok()
    }
}

impl DeliveryHeaders {
    fn read(table: &FieldTable) -> Self {
        Self {
            attempt: number(table, ATTEMPT),
            epoch: number(table, EPOCH),
            published_at: time(table, PUBLISHED_AT),
            received_at: time(table, RECEIVED_AT),
            first_attempt_at: time(table, FIRST_ATTEMPT_AT),
            is_canary: matches!(value(table, CANARY), Some(AMQPValue::Boolean(true))),
            forgiven: number(table, FORGIVEN).unwrap_or_default(),
            trace: TraceContext::read(text(table, TRACEPARENT), text(table, TRACESTATE)),
        }
    }

    fn write(&self) -> FieldTable {
        let mut table = FieldTable::default();
        let mut put = |name: &str, value: Option<AMQPValue>| {
            if let Some(value) = value {
                table.insert(name.into(), value);
            }
        };
        let millis = |time: Timestamp| AMQPValue::LongLongInt(time.as_millisecond());
        put(ATTEMPT, self.attempt.map(AMQPValue::LongUInt));
        put(EPOCH, self.epoch.map(AMQPValue::LongUInt));
        put(PUBLISHED_AT, self.published_at.map(millis));
        put(RECEIVED_AT, self.received_at.map(millis));
        put(FIRST_ATTEMPT_AT, self.first_attempt_at.map(millis));
        put(CANARY, self.is_canary.then_some(AMQPValue::Boolean(true)));
        put(FORGIVEN, Some(self.forgiven).filter(|times| *times > 0).map(AMQPValue::LongUInt));
        let text = |text: &str| AMQPValue::LongString(text.into());
        let trace = self.trace.as_ref();
        put(TRACEPARENT, trace.map(|trace| text(trace.traceparent())));
        put(TRACESTATE, trace.and_then(TraceContext::tracestate).map(text));
        table
    }
}

impl Names {
    /// A delivery to a webhook's queue.
    pub fn delivery(
        &self,
        webhook: WebhookId,
        event: EventRef,
        message: Bytes,
        headers: &DeliveryHeaders,
    ) -> Publication {
        self.publication(self.deliveries(), webhook, event, message, headers)
    }

    /// A delivery that comes to its webhook's queue after a delay.
    pub fn delayed(
        &self,
        delay: Duration,
        webhook: WebhookId,
        event: EventRef,
        message: Bytes,
        headers: &DeliveryHeaders,
    ) -> Publication {
        self.publication(self.retry(delay), webhook, event, message, headers)
    }

    /// A delivery that came back again and again, to be attempted alone.
    pub fn suspect_delivery(
        &self,
        webhook: WebhookId,
        event: EventRef,
        message: Bytes,
        headers: &DeliveryHeaders,
    ) -> Publication {
        self.publication(self.suspect_deliveries(), webhook, event, message, headers)
    }

    /// One of our own events, for the router.
    pub fn own_event(&self, event: &v1::Event) -> Publication {
        let mut properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type(CONTENT_TYPE.into())
            .with_type(EVENT_TYPE.into())
            .with_app_id(OWN_APP_ID.into());
        if let Ok(id) = ShortString::try_new(&*event.id) {
            properties = properties.with_message_id(id);
        }
        Publication {
            exchange: self.events().into(),
            routing_key: event.r#type.as_str().into(),
            properties,
            body: event.encode_to_vec().into(),
            mandatory: true,
        }
    }

    /// A batch, from a router to a dispatcher.
    pub fn batch(&self, body: Bytes) -> Publication {
        self.internal(self.batches(), BATCH_TYPE, body)
    }

    /// A batch of one delivery that comes to a dispatcher after a delay, with the delivery's headers.
    pub fn delayed_batch(&self, delay: Duration, body: Bytes, headers: &DeliveryHeaders) -> Publication {
        let batch = self.internal(self.retry(delay), BATCH_TYPE, body);
        let properties = batch.properties.with_headers(headers.write());
        Publication { routing_key: BATCHES_KEY.into(), properties, ..batch }
    }

    /// A batch of journal entries.
    pub(crate) fn journal_batch(&self, body: Bytes) -> Publication {
        self.internal(self.journal(), JOURNAL_TYPE, body)
    }

    fn internal(&self, exchange: String, message_type: &'static str, body: Bytes) -> Publication {
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type(CONTENT_TYPE.into())
            .with_type(message_type.into());
        Publication {
            exchange: exchange.into(),
            routing_key: ShortString::default(),
            properties,
            body,
            mandatory: true,
        }
    }

    fn publication(
        &self,
        exchange: String,
        webhook: WebhookId,
        event: EventRef,
        body: Bytes,
        headers: &DeliveryHeaders,
    ) -> Publication {
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type(CONTENT_TYPE.into())
            .with_type(EVENT_TYPE.into())
            .with_message_id(event.to_string().into())
            .with_headers(headers.write());
        Publication {
            exchange: exchange.into(),
            routing_key: webhook.to_string().into(),
            properties,
            body,
            // An alternate exchange that has lost its queue would swallow the message without a word.
            mandatory: true,
        }
    }
}

fn value<'a>(table: &'a FieldTable, name: &str) -> Option<&'a AMQPValue> {
    table.inner().get(name)
}

fn integer(table: &FieldTable, name: &str) -> Option<i64> {
    match value(table, name)? {
        AMQPValue::ShortShortInt(number) => Some((*number).into()),
        AMQPValue::ShortShortUInt(number) => Some((*number).into()),
        AMQPValue::ShortInt(number) => Some((*number).into()),
        AMQPValue::ShortUInt(number) => Some((*number).into()),
        AMQPValue::LongInt(number) => Some((*number).into()),
        AMQPValue::LongUInt(number) => Some((*number).into()),
        AMQPValue::LongLongInt(number) => Some(*number),
        _ => None,
    }
}

fn number(table: &FieldTable, name: &str) -> Option<u32> {
    integer(table, name)?.try_into().ok()
}

fn time(table: &FieldTable, name: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(integer(table, name)?).ok()
}

fn text(table: &FieldTable, name: &str) -> Option<String> {
    match value(table, name)? {
        AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok(),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod hostile;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_are_believed_of_redelivered_messages_only() {
        let returns = |redelivered, count: AMQPValue| {
            let mut table = FieldTable::default();
            table.insert(DELIVERY_COUNT.into(), count);
            let mut delivery = Delivery::mock(1, "x".into(), "k".into(), redelivered, Vec::new());
            delivery.properties = BasicProperties::default().with_headers(table);
            Message::read(delivery).returns
        };
        assert_eq!(returns(true, AMQPValue::LongLongInt(3)), 3);
        assert_eq!(returns(false, AMQPValue::LongLongInt(25)), 0);
        assert_eq!(returns(false, AMQPValue::LongLongInt(4_000_000_000)), 0);
        assert_eq!(returns(true, AMQPValue::LongInt(-5)), 0);
        assert_eq!(returns(true, AMQPValue::LongString("many".into())), 0);
    }

    #[test]
    fn headers_read_back() {
        let headers = DeliveryHeaders {
            attempt: Some(3),
            epoch: Some(2),
            published_at: Some("2026-11-23T09:30:00.120Z".parse().unwrap()),
            received_at: Some("2026-11-23T09:30:00.123Z".parse().unwrap()),
            first_attempt_at: Some("2026-11-23T09:30:01Z".parse().unwrap()),
            is_canary: true,
            forgiven: 2,
            trace: TraceContext::read(
                Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
                Some("rojo=1".into()),
            ),
        };
        assert_eq!(DeliveryHeaders::read(&headers.write()), headers);
        assert_eq!(DeliveryHeaders::read(&FieldTable::default()), DeliveryHeaders::default());
    }
}
