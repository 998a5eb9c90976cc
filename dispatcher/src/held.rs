//! What a dispatcher holds of delivery batches, bounded in deliveries and in bytes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use posthorn_broker::Receipt;
use posthorn_domain::delivery_batch::MOST_DELIVERIES;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::prefetch::Room;

/// How much may be held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Deliveries, besides those whose attempts take long.
    pub(crate) deliveries: usize,
    /// Bytes of the batches.
    pub(crate) bytes: usize,
}

/// The room for batches.
#[derive(Clone)]
pub(crate) struct HeldBatches {
    most_bytes: usize,
    deliveries: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    batches: Arc<AtomicUsize>,
}

/// The room of one batch.
pub(crate) struct BatchRoom {
    /// Of its deliveries, one permit each.
    pub(crate) deliveries: OwnedSemaphorePermit,
    pub(crate) in_hand: InHand,
}

/// A batch counts as in hand, with its bytes, until this is dropped.
pub(crate) struct InHand {
    _bytes: OwnedSemaphorePermit,
    batches: Arc<AtomicUsize>,
}

/// What a batch holds until all its deliveries are done.
pub(crate) struct BatchHold {
    receipt: Receipt,
    _in_hand: InHand,
}

impl HeldBatches {
    /// Room for one batch at least.
    pub(crate) fn new(limits: Limits) -> Self {
        let most_bytes = limits.bytes.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            most_bytes,
            deliveries: Arc::new(Semaphore::new(limits.deliveries.max(MOST_DELIVERIES))),
            bytes: Arc::new(Semaphore::new(most_bytes)),
            batches: Arc::default(),
        }
    }

    /// What is free.
    pub(crate) fn room(&self) -> Room {
        Room { deliveries: self.deliveries.available_permits(), bytes: self.bytes.available_permits() }
    }

    /// Batches that are not done.
    pub(crate) fn in_hand(&self) -> usize {
        self.batches.load(Relaxed)
    }

    /// Whether a batch of this size has to wait for room.
    pub(crate) fn is_full_for(&self, deliveries: usize, bytes: usize) -> bool {
        let room = self.room();
        room.deliveries < deliveries || room.bytes < bytes.min(self.most_bytes)
    }

    /// Waits for room for a batch of at most [`MOST_DELIVERIES`]. One larger than all room there is for bytes
    /// takes all of it.
    pub(crate) async fn take(&self, deliveries: usize, bytes: usize) -> BatchRoom {
        let bytes = permits(bytes.min(self.most_bytes));
        let open = "the semaphore is never closed";
        let bytes = self.bytes.clone().acquire_many_owned(bytes).await.expect(open);
        let deliveries = self.deliveries.clone().acquire_many_owned(permits(deliveries)).await.expect(open);
        self.batches.fetch_add(1, Relaxed);
        BatchRoom { deliveries, in_hand: InHand { _bytes: bytes, batches: self.batches.clone() } }
    }
}

fn permits(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.batches.fetch_sub(1, Relaxed);
    }
}

impl BatchHold {
    pub(crate) fn new(receipt: Receipt, in_hand: InHand) -> Self {
        Self { receipt, _in_hand: in_hand }
    }

    /// Every delivery is done: acknowledges the batch.
    pub(crate) fn finish(self) {
        self.receipt.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_bounded_in_deliveries_and_bytes() {
        let held = HeldBatches::new(Limits { deliveries: 100, bytes: 1000 });
        let first = held.take(50, 400).await;
        assert_eq!((held.room().deliveries, held.room().bytes, held.in_hand()), (50, 600, 1));
        assert!(!held.is_full_for(50, 600) && held.is_full_for(51, 1) && held.is_full_for(1, 601));
        drop(first);
        assert_eq!((held.room().deliveries, held.room().bytes, held.in_hand()), (100, 1000, 0));
    }

    #[tokio::test]
    async fn a_batch_is_in_hand_until_its_last_delivery_is_done_though_its_attempts_take_long() {
        let held = HeldBatches::new(Limits { deliveries: 1, bytes: 1000 });
        let BatchRoom { deliveries, in_hand } = held.take(50, 2000).await;
        assert_eq!(held.room().bytes, 0, "a batch that is too large takes all");
        drop(deliveries);
        assert_eq!((held.room().deliveries, held.in_hand()), (50, 1));
        drop(in_hand);
        assert_eq!((held.room().bytes, held.in_hand()), (1000, 0));
    }
}
