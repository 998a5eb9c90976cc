//! Delivery batches: events and the webhooks that want them, on their way from a router to a dispatcher.
//!
//! One batch carries what a router has at hand: several events under load, or many webhooks of one
//! event. So the broker moves one message where there would be one for each delivery. A dispatcher
//! that is killed repeats the batches that it holds, hence their bound.

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_proto::v1;
use prost::Message;
use uuid::Uuid;

use crate::{id::WebhookId, time, trace_context::TraceContext};

/// The most deliveries of a batch.
pub const MOST_DELIVERIES: usize = 50;
/// About the most bytes of a batch; a single larger event goes alone.
pub const MOST_BYTES: usize = 64 << 10;
const UUID_BYTES: usize = 16;

/// An event and some of the webhooks that want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchedEvent {
    /// The producer's original bytes.
    pub message: Bytes,
    /// When the router took it.
    pub received_at: Timestamp,
    /// When it was published, if the message says so.
    pub published_at: Option<Timestamp>,
    /// The parent of its attempts: its routing, or the producer's span.
    pub trace: Option<TraceContext>,
    /// The webhooks.
    pub webhook_ids: Vec<WebhookId>,
}

/// Bytes that are no batch.
#[derive(Debug, thiserror::Error)]
#[error("not a batch: {0}")]
pub struct BadBatch(String);

/// Divides events into batches, in their order: each of at most [`MOST_DELIVERIES`], and of about
/// 64 KiB. Events that no webhook wants are in no batch.
pub fn divide(events: Vec<BatchedEvent>) -> Vec<Vec<BatchedEvent>> {
    let mut batches: Vec<Vec<BatchedEvent>> = Vec::new();
    let (mut deliveries, mut bytes) = (MOST_DELIVERIES, 0);
    for event in events {
        let mut left = event.webhook_ids.as_slice();
        while !left.is_empty() {
            if deliveries >= MOST_DELIVERIES || bytes + event.message.len() > MOST_BYTES {
                batches.push(Vec::new());
                (deliveries, bytes) = (0, 0);
            }
            let (now, later) = left.split_at(left.len().min(MOST_DELIVERIES - deliveries));
            let part = BatchedEvent { webhook_ids: now.to_vec(), ..event.clone() };
            batches.last_mut().expect("the first delivery begins a batch").push(part);
            (deliveries, bytes) = (deliveries + now.len(), bytes + event.message.len());
            left = later;
        }
    }
    batches
}

/// Writes a batch for the broker.
pub fn encode(events: Vec<BatchedEvent>) -> Bytes {
    v1::DeliveryBatch { events: events.into_iter().map(write).collect() }.encode_to_vec().into()
}

fn write(event: BatchedEvent) -> v1::BatchedEvent {
    let trace = event.trace.as_ref();
    let tracestate = trace.and_then(TraceContext::tracestate);
    v1::BatchedEvent {
        received_at: Some(time::write(event.received_at)),
        published_at: event.published_at.map(time::write),
        traceparent: trace.map(TraceContext::traceparent).unwrap_or_default().to_owned(),
        tracestate: tracestate.unwrap_or_default().to_owned(),
        webhook_ids: event.webhook_ids.iter().flat_map(|id| *id.0.as_bytes()).collect(),
        message: event.message,
    }
}

/// Reads a batch.
///
/// # Errors
/// If any part of it cannot be read.
pub fn decode(batch: Bytes) -> Result<Vec<BatchedEvent>, BadBatch> {
    let batch = v1::DeliveryBatch::decode(batch).map_err(|error| BadBatch(error.to_string()))?;
    batch.events.into_iter().map(read).collect()
}

fn read(event: v1::BatchedEvent) -> Result<BatchedEvent, BadBatch> {
    let (ids, rest) = event.webhook_ids.as_chunks::<UUID_BYTES>();
    if !rest.is_empty() {
        return Err(BadBatch(format!("{} bytes are no list of webhook ids", event.webhook_ids.len())));
    }
    Ok(BatchedEvent {
        received_at: time::read(event.received_at).map_err(BadBatch)?,
        published_at: event.published_at.map(|at| time::read(Some(at))).transpose().map_err(BadBatch)?,
        trace: TraceContext::read(Some(event.traceparent), Some(event.tracestate)),
        webhook_ids: ids.iter().map(|id| WebhookId(Uuid::from_bytes(*id))).collect(),
        message: event.message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: u8, bytes: usize, webhooks: usize) -> BatchedEvent {
        BatchedEvent {
            message: vec![name; bytes].into(),
            received_at: "2026-11-23T09:30:00.123Z".parse().unwrap(),
            published_at: name.is_multiple_of(2).then(|| "2026-11-23T09:30:00.120Z".parse().unwrap()),
            trace: name.is_multiple_of(2).then(trace),
            webhook_ids: (0..webhooks as u128).map(|number| WebhookId(Uuid::from_u128(number))).collect(),
        }
    }

    fn trace() -> TraceContext {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
        TraceContext::read(Some(traceparent), Some("rojo=1".to_owned())).unwrap()
    }

    /// Of each batch, the events' names with their numbers of deliveries.
    fn divided(events: Vec<BatchedEvent>) -> Vec<Vec<(u8, usize)>> {
        let name = |event: &BatchedEvent| (event.message[0], event.webhook_ids.len());
        divide(events).iter().map(|batch| batch.iter().map(name).collect()).collect()
    }

    #[test]
    fn rounds_are_bounded_in_deliveries_and_bytes() {
        assert_eq!(divided(vec![event(1, 10, 1), event(2, 10, 3)]), [[(1, 1), (2, 3)]]);
        assert_eq!(divided(vec![event(1, 10, 0)]), [[]; 0]);
        assert_eq!(
            divided(vec![event(1, 10, 40), event(2, 10, 70)]),
            [vec![(1, 40), (2, 10)], vec![(2, 50)], vec![(2, 10)]]
        );
        let big = MOST_BYTES * 3;
        assert_eq!(
            divided(vec![event(1, 10, 1), event(2, big, 1), event(3, 10, 1)]),
            [[(1, 1)], [(2, 1)], [(3, 1)]]
        );
    }

    #[test]
    fn division_keeps_every_delivery_in_order() {
        let events = vec![event(1, 10, 123), event(2, 40_000, 3), event(3, 40_000, 51)];
        let deliveries = |events: &[BatchedEvent]| -> Vec<_> {
            let each = |event: &BatchedEvent| {
                let name = event.message[0];
                event.webhook_ids.iter().map(move |id| (name, *id)).collect::<Vec<_>>()
            };
            events.iter().flat_map(each).collect()
        };
        assert_eq!(deliveries(&divide(events.clone()).concat()), deliveries(&events));
    }

    #[test]
    fn rounds_read_back() {
        let events = vec![event(1, 10, 2), event(2, 0, 1)];
        assert_eq!(decode(encode(events.clone())).unwrap(), events);
        assert!(decode(Bytes::from_static(b"no batch")).is_err());
        let cut = v1::BatchedEvent { webhook_ids: vec![0; 17].into(), ..v1::BatchedEvent::default() };
        assert!(decode(v1::DeliveryBatch { events: vec![cut] }.encode_to_vec().into()).is_err());
    }
}
