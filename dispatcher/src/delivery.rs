//! A delivery in hand, and where it stands.

use std::sync::Arc;

use jiff::Timestamp;
use posthorn_attempt::Target;
use posthorn_broker::{DeliveryHeaders, Receipt};

use crate::{
    held::BatchHold,
    in_flight::AttemptKey,
    pending_batch::{BatchedDelivery, Completed},
    prepared_event::PreparedEvent,
    recipient::HoldPermit,
};

/// A delivery in hand.
pub(crate) struct Delivery {
    pub(crate) prepared: Arc<PreparedEvent>,
    pub(crate) headers: DeliveryHeaders,
    /// Taken when the journal has the attempt: then the journal's confirm acknowledges.
    pub(crate) held: Option<Held>,
    /// Its attempt ends as interrupted without a request: to make it fails dispatchers.
    pub(crate) is_interrupted: bool,
}

/// What in the broker stands for a delivery until it is done.
pub(crate) enum Held {
    /// A message of its own, from its webhook's queue.
    Message(Receipt),
    /// A part of a batch.
    Batched(BatchedDelivery<BatchHold>),
    /// A message of its own, from among the suspects.
    Suspect(Receipt),
}

/// How a delivery waits for its attempt.
pub(crate) enum Wait {
    /// As long as it may be held.
    Patiently,
    /// Not for long, under this permit.
    Briefly { _hold: HoldPermit },
    /// As the canary: past an open circuit breaker.
    AsCanary,
}

/// Where a delivery stands: which attempt comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Counted from 1.
    pub(crate) attempt: u32,
    /// How many attempts with this number were put down to our own network.
    pub(crate) forgiven: u32,
    pub(crate) first_attempt_at: Timestamp,
}

/// A delivery's next attempt at the webhook as it is now.
pub(crate) struct NextAttempt {
    pub(crate) target: Arc<Target>,
    pub(crate) position: Position,
    pub(crate) key: AttemptKey,
}

impl Delivery {
    pub(crate) fn new(prepared: Arc<PreparedEvent>, headers: DeliveryHeaders, held: Held) -> Self {
        Self { prepared, headers, held: Some(held), is_interrupted: false }
    }

    /// The attempt that comes next.
    pub(crate) fn next_attempt(&self, target: Arc<Target>, now: Timestamp) -> NextAttempt {
        let position = position(&self.headers, target.epoch, now);
        let PreparedEvent { event, digest, .. } = *self.prepared;
        let Position { attempt, forgiven, .. } = position;
        let key = AttemptKey { event, digest, webhook_id: target.id, epoch: target.epoch, attempt, forgiven };
        NextAttempt { target, position, key }
    }

    /// The headers with which it stands there.
    pub(crate) fn headers_at(&self, position: Position, epoch: u32) -> DeliveryHeaders {
        DeliveryHeaders {
            attempt: Some(position.attempt),
            epoch: Some(epoch),
            first_attempt_at: Some(position.first_attempt_at),
            forgiven: position.forgiven,
            ..self.headers.clone()
        }
    }

    /// Its attempt takes long: it holds up no batches any more.
    pub(crate) fn takes_long(&self) {
        if let Some(Held::Batched(batched)) = &self.held {
            batched.takes_long();
        }
    }
}

impl Held {
    /// The delivery is done, after this attempt if there was one: acknowledges what is done with it, and tells
    /// which attempts need not be remembered any longer.
    pub(crate) fn done(self, attempt: Option<AttemptKey>) -> Vec<AttemptKey> {
        match self {
            Self::Message(receipt) | Self::Suspect(receipt) => {
                receipt.finish();
                attempt.into_iter().collect()
            }
            Self::Batched(batched) => match batched.done(attempt) {
                Some(Completed { hold, settled }) => {
                    hold.finish();
                    settled
                }
                None => Vec::new(),
            },
        }
    }
}

/// A retry of an earlier epoch starts afresh.
fn position(headers: &DeliveryHeaders, epoch: u32, now: Timestamp) -> Position {
    let forgiven = headers.forgiven;
    match (headers.attempt, headers.first_attempt_at) {
        (Some(attempt), Some(first_attempt_at)) if headers.epoch == Some(epoch) => {
            Position { attempt: attempt.max(1), forgiven, first_attempt_at }
        }
        _ => Position { attempt: 1, forgiven, first_attempt_at: now },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_of_an_earlier_epoch_starts_afresh() {
        let now = Timestamp::from_second(100).unwrap();
        let first = Timestamp::from_second(50).unwrap();
        let headers = DeliveryHeaders {
            attempt: Some(4),
            epoch: Some(2),
            first_attempt_at: Some(first),
            forgiven: 1,
            ..DeliveryHeaders::default()
        };
        let at = |headers: &DeliveryHeaders, epoch| {
            let position = position(headers, epoch, now);
            (position.attempt, position.forgiven, position.first_attempt_at)
        };
        assert_eq!(at(&headers, 2), (4, 1, first));
        assert_eq!(at(&headers, 3), (1, 1, now));
        assert_eq!(at(&DeliveryHeaders::default(), 1), (1, 0, now));
    }
}
