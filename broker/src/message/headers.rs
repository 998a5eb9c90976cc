//! Posthorn's own headers.
//!
//! They are always made afresh: a copied `x-death` makes the broker take a retry for a cycle and drop it.

use jiff::Timestamp;
use lapin::types::{AMQPValue, FieldTable};
use posthorn_domain::trace_context::TraceContext;

use super::fields::{number, text, time, value};

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

impl DeliveryHeaders {
    pub(super) fn read(table: &FieldTable) -> Self {
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

    pub(super) fn write(&self) -> FieldTable {
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

#[cfg(test)]
mod tests {
    use super::*;

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
