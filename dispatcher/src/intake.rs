//! The consumer of delivery batches, with a prefetch that follows what is in hand.

use std::{collections::VecDeque, time::Duration};

use posthorn_broker::{BrokerError, ConsumerPool, Queue, Received, Source};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::{held::HeldBatches, metrics, prefetch::Prefetch};

/// Between two looks whether the prefetch fits.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What an intake comes up with.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is made")]
pub(crate) enum Next {
    Batch(Received),
    /// It is time for [`Intake::look`].
    Look,
    /// The consumer has ended: its queue is gone, or its channel is.
    Dead,
}

pub(crate) struct Intake<'a> {
    pool: &'a ConsumerPool,
    held: HeldBatches,
    prefetch: Prefetch,
    source: Source,
    /// What a replaced consumer had been handed.
    handed: VecDeque<Received>,
    looks: Interval,
}

impl<'a> Intake<'a> {
    pub(crate) async fn open(pool: &'a ConsumerPool, held: HeldBatches) -> Result<Self, BrokerError> {
        let prefetch = Prefetch::new(held.room());
        let source = pool.consume(Queue::Batches, prefetch.current()).await?;
        metrics::batch_prefetch(prefetch.current());
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { pool, held, prefetch, source, handed: VecDeque::new(), looks })
    }

    /// What comes next. Nothing is lost if it is dropped.
    pub(crate) async fn next(&mut self) -> Next {
        if let Some(received) = self.handed.pop_front() {
            return Next::Batch(received);
        }
        tokio::select! {
            biased;
            _ = self.looks.tick() => Next::Look,
            received = self.source.next() => received.map_or(Next::Dead, Next::Batch),
        }
    }

    /// A batch of this size was taken, and is to be started once there is room.
    ///
    /// # Errors
    /// If the broker is gone.
    pub(crate) async fn taken(&mut self, deliveries: usize, bytes: usize) -> Result<(), BrokerError> {
        self.prefetch.taken(deliveries, bytes);
        let in_hand = self.held.in_hand();
        if self.held.is_full_for(deliveries, bytes) && self.prefetch.shrink_full(in_hand) {
            return self.give_back().await;
        }
        self.grow().await
    }

    /// Takes nothing more; what was handed over and not taken goes back to the queue.
    pub(crate) async fn close(self) {
        for received in self.handed {
            received.receipt.give_back().await;
        }
        self.source.cancel().await;
    }

    /// Fits the prefetch to what is in hand.
    ///
    /// # Errors
    /// If the broker is gone.
    pub(crate) async fn look(&mut self) -> Result<(), BrokerError> {
        match self.prefetch.shrink_unused(self.held.in_hand()) {
            true => self.give_back().await,
            false => self.grow().await,
        }
    }

    async fn grow(&mut self) -> Result<(), BrokerError> {
        if self.prefetch.grow(self.held.in_hand(), self.held.room()) {
            let replaced = self.replace().await?;
            self.handed.extend(replaced.drain().await);
        }
        Ok(())
    }

    /// Leaves to others what was handed over and not taken.
    async fn give_back(&mut self) -> Result<(), BrokerError> {
        let replaced = self.replace().await?;
        for received in std::mem::take(&mut self.handed) {
            received.receipt.give_back().await;
        }
        replaced.cancel().await;
        Ok(())
    }

    /// Consumes with the prefetch as it is now; tells the consumer of before.
    async fn replace(&mut self) -> Result<Source, BrokerError> {
        let prefetch = self.prefetch.current();
        tracing::debug!(prefetch, in_hand = self.held.in_hand(), "another prefetch of delivery batches");
        metrics::batch_prefetch(prefetch);
        let source = self.pool.consume(Queue::Batches, prefetch).await?;
        Ok(std::mem::replace(&mut self.source, source))
    }
}
