//! Rounds: events and the webhooks that want them, on their way from a router to a dispatcher.
//!
//! One round carries what a router has at hand: several events under load, or many webhooks of one
//! event. So the broker moves one message where there would be one for each delivery. A dispatcher
//! that is killed repeats the rounds that it holds, hence their bound.

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_proto::v1;
use prost::Message;
use uuid::Uuid;

use crate::{id::WebhookId, time, trace_context::TraceContext};

/// The most deliveries of a round.
pub const MOST_DELIVERIES: usize = 50;
/// About the most bytes of a round; a single larger event goes alone.
const MOST_BYTES: usize = 64 << 10;
const UUID_BYTES: usize = 16;

/// An event and some of the webhooks that want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundEvent {
    /// The producer's original bytes.
    pub message: Bytes,
    /// When the router took it.
    pub received_at: Timestamp,
    /// When it was published, if it tells.
    pub published_at: Option<Timestamp>,
    /// The parent of its attempts: its routing, or the producer's span.
    pub trace: Option<TraceContext>,
    /// The webhooks.
    pub webhook_ids: Vec<WebhookId>,
}

/// Bytes that are no round.
#[derive(Debug, thiserror::Error)]
#[error("not a round: {0}")]
pub struct BadRound(String);

/// Divides events into rounds, in their order: each of at most [`MOST_DELIVERIES`], and of about
/// 64 KiB. Events that nobody wants are in none.
pub fn divide(events: Vec<RoundEvent>) -> Vec<Vec<RoundEvent>> {
    let mut rounds: Vec<Vec<RoundEvent>> = Vec::new();
    let (mut deliveries, mut bytes) = (MOST_DELIVERIES, 0);
    for event in events {
        let mut left = event.webhook_ids.as_slice();
        while !left.is_empty() {
            if deliveries >= MOST_DELIVERIES || bytes + event.message.len() > MOST_BYTES {
                rounds.push(Vec::new());
                (deliveries, bytes) = (0, 0);
            }
            let (now, later) = left.split_at(left.len().min(MOST_DELIVERIES - deliveries));
            let part = RoundEvent { webhook_ids: now.to_vec(), ..event.clone() };
            rounds.last_mut().expect("the first delivery begins a round").push(part);
            (deliveries, bytes) = (deliveries + now.len(), bytes + event.message.len());
            left = later;
        }
    }
    rounds
}

/// Writes a round for the broker.
pub fn encode(events: Vec<RoundEvent>) -> Bytes {
    v1::Round { events: events.into_iter().map(write).collect() }.encode_to_vec().into()
}

fn write(event: RoundEvent) -> v1::RoundEvent {
    let trace = event.trace.as_ref();
    let tracestate = trace.and_then(TraceContext::tracestate);
    v1::RoundEvent {
        received_at: Some(time::write(event.received_at)),
        published_at: event.published_at.map(time::write),
        traceparent: trace.map(TraceContext::traceparent).unwrap_or_default().to_owned(),
        tracestate: tracestate.unwrap_or_default().to_owned(),
        webhook_ids: event.webhook_ids.iter().flat_map(|id| *id.0.as_bytes()).collect(),
        message: event.message,
    }
}

/// Reads a round.
///
/// # Errors
/// If any part of it cannot be read.
pub fn decode(round: Bytes) -> Result<Vec<RoundEvent>, BadRound> {
    let round = v1::Round::decode(round).map_err(|error| BadRound(error.to_string()))?;
    round.events.into_iter().map(read).collect()
}

fn read(event: v1::RoundEvent) -> Result<RoundEvent, BadRound> {
    let (ids, rest) = event.webhook_ids.as_chunks::<UUID_BYTES>();
    if !rest.is_empty() {
        return Err(BadRound(format!("{} bytes are no list of webhook ids", event.webhook_ids.len())));
    }
    Ok(RoundEvent {
        received_at: time::read(event.received_at).map_err(BadRound)?,
        published_at: event.published_at.map(|at| time::read(Some(at))).transpose().map_err(BadRound)?,
        trace: TraceContext::read(Some(event.traceparent), Some(event.tracestate)),
        webhook_ids: ids.iter().map(|id| WebhookId(Uuid::from_bytes(*id))).collect(),
        message: event.message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: u8, bytes: usize, webhooks: usize) -> RoundEvent {
        RoundEvent {
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

    /// Of each round, the events' names with their numbers of deliveries.
    fn divided(events: Vec<RoundEvent>) -> Vec<Vec<(u8, usize)>> {
        let name = |event: &RoundEvent| (event.message[0], event.webhook_ids.len());
        divide(events).iter().map(|round| round.iter().map(name).collect()).collect()
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
        let deliveries = |events: &[RoundEvent]| -> Vec<_> {
            let each = |event: &RoundEvent| {
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
        assert!(decode(Bytes::from_static(b"no round")).is_err());
        let cut = v1::RoundEvent { webhook_ids: vec![0; 17].into(), ..v1::RoundEvent::default() };
        assert!(decode(v1::Round { events: vec![cut] }.encode_to_vec().into()).is_err());
    }
}
