//! What is left of a delivery batch.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use crate::in_flight::AttemptKey;

/// A batch in hand. Once every delivery is done, what it holds is handed out: the receipt of its message and
/// its room. Until then what its attempts came to is remembered, since the whole batch would come back.
pub(crate) struct PendingBatch<H>(Mutex<Left<H>>);

struct Left<H> {
    deliveries: usize,
    hold: Option<H>,
    settled: Vec<AttemptKey>,
}

/// One of a batch's deliveries.
pub(crate) struct BatchedDelivery<H> {
    batch: Arc<PendingBatch<H>>,
    /// Counts the delivery as held until it is done, or its attempt takes long.
    room: Mutex<Option<OwnedSemaphorePermit>>,
}

/// A batch whose deliveries are all done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Completed<H> {
    /// What the batch held.
    pub(crate) hold: H,
    /// Attempts that need not be remembered any longer.
    pub(crate) settled: Vec<AttemptKey>,
}

impl<H> PendingBatch<H> {
    /// A batch of so many deliveries, at least one.
    pub(crate) fn new(hold: H, deliveries: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Left { deliveries, hold: Some(hold), settled: Vec::new() })))
    }

    fn done(&self, attempt: Option<AttemptKey>) -> Option<Completed<H>> {
        let mut left = self.left();
        left.settled.extend(attempt);
        left.deliveries = left.deliveries.saturating_sub(1);
        if left.deliveries > 0 {
            return None;
        }
        let hold = left.hold.take()?;
        Some(Completed { hold, settled: std::mem::take(&mut left.settled) })
    }

    fn left(&self) -> MutexGuard<'_, Left<H>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H> BatchedDelivery<H> {
    pub(crate) fn new(batch: &Arc<PendingBatch<H>>, room: OwnedSemaphorePermit) -> Self {
        Self { batch: batch.clone(), room: Mutex::new(Some(room)) }
    }

    /// The attempt runs and takes long: it counts among those that run, no longer among those held, so
    /// that receivers that hang hold up nobody else's batches.
    pub(crate) fn takes_long(&self) {
        *self.room.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The delivery is done, after this attempt if there was one. With the last of its batch, the batch is.
    pub(crate) fn done(self, attempt: Option<AttemptKey>) -> Option<Completed<H>> {
        self.batch.done(attempt)
    }
}

#[cfg(test)]
mod tests {
    use posthorn_domain::{
        event::ContentDigest,
        id::{EventRef, WebhookId},
    };
    use tokio::sync::Semaphore;
    use uuid::Uuid;

    use super::*;

    fn key(number: u128) -> AttemptKey {
        let (event, digest) = (EventRef::new("c1", "e1"), ContentDigest(Uuid::nil()));
        let webhook_id = WebhookId(Uuid::from_u128(number));
        AttemptKey { event, digest, webhook_id, epoch: 1, attempt: 1, forgiven: 0 }
    }

    fn deliveries(count: usize, room: &Arc<Semaphore>) -> Vec<BatchedDelivery<&'static str>> {
        let batch = PendingBatch::new("receipt", count);
        let one = |_| BatchedDelivery::new(&batch, room.clone().try_acquire_owned().unwrap());
        (0..count).map(one).collect()
    }

    #[test]
    fn the_last_delivery_completes_its_batch_with_all_attempts() {
        let mut left = deliveries(3, &Arc::new(Semaphore::new(3))).into_iter();
        let mut done = |attempt| left.next().unwrap().done(attempt);
        assert_eq!(done(Some(key(1))), None);
        assert_eq!(done(None), None, "it was queued: no attempt was made");
        assert_eq!(done(Some(key(3))), Some(Completed { hold: "receipt", settled: vec![key(1), key(3)] }));
    }

    #[test]
    fn a_delivery_takes_room_until_it_is_done_or_takes_long() {
        let room = Arc::new(Semaphore::new(2));
        let mut left = deliveries(2, &room);
        assert_eq!(room.available_permits(), 0);
        left[0].takes_long();
        assert_eq!(room.available_permits(), 1);
        left.pop().unwrap().done(None);
        assert_eq!(room.available_permits(), 2);
    }
}
