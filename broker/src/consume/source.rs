//! The messages of one queue.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use futures_util::{FutureExt, StreamExt};
use lapin::{Consumer, options::BasicCancelOptions};
use tokio::time::timeout;

use super::{channel::ConsumerChannel, receipt::Receipt};
use crate::{
    acks::ConsumerId,
    error::{ANSWER_TIMEOUT, BrokerError},
    message::Message,
};

/// So many messages can be given back, and the channel be closed at once behind them.
const MOST_AHEAD: usize = 16;

/// The messages of one queue.
pub struct Source {
    consumer: Consumer,
    id: ConsumerId,
    prefetch: u16,
    channel: Arc<ConsumerChannel>,
    /// lapin tells the end once; asked again it waits for ever.
    ended: bool,
}

/// A message and its receipt.
pub struct Received {
    /// What came.
    pub message: Message,
    /// What to answer with.
    pub receipt: Receipt,
}

impl Source {
    pub(super) async fn start(
        channel: Arc<ConsumerChannel>,
        queue: &str,
        prefetch: u16,
    ) -> Result<Self, BrokerError> {
        let (id, consumer) = channel.start(queue, prefetch).await?;
        Ok(Self { consumer, id, prefetch, channel, ended: false })
    }

    /// The next message; `None` when the consumer is dead: its queue is gone, or its channel is.
    pub async fn next(&mut self) -> Option<Received> {
        let channel = self.channel.clone();
        let next = channel.dead.run_until_cancelled(poll_fn(|context| self.poll_next(context))).await;
        self.ended |= next.is_none();
        next.flatten()
    }

    /// As [`Source::next`], for whoever waits for many.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Received>> {
        // When the channel is closed, which follows, lapin wakes whoever waits.
        self.ended |= self.channel.dead.is_cancelled();
        if self.ended {
            return Poll::Ready(None);
        }
        match ready!(self.consumer.poll_next_unpin(context)) {
            Some(Ok(delivery)) => {
                let (consumer, prefetch) = (self.id, self.prefetch);
                let channel = self.channel.clone();
                let receipt = Receipt { tag: delivery.delivery_tag, consumer, prefetch, channel };
                return Poll::Ready(Some(Received { message: Message::read(delivery), receipt }));
            }
            Some(Err(error)) => {
                tracing::debug!(%error, queue = %self.consumer.queue(), "the consumer has failed");
                self.channel.dead.cancel();
            }
            None => {}
        }
        self.ended = true;
        Poll::Ready(None)
    }

    /// The next message, if it is there already.
    pub fn ready(&mut self) -> Option<Received> {
        self.next().now_or_never().flatten()
    }

    /// Takes no more messages, and hands out those that came but were not looked at.
    pub async fn drain(mut self) -> Vec<Received> {
        let mut left = Vec::new();
        if self.ended {
            return left;
        }
        let draining = async {
            let tag = self.consumer.tag();
            self.channel.channel.basic_cancel(tag, BasicCancelOptions::default()).await?;
            while let Some(received) = self.next().await {
                left.push(received);
            }
            lapin::Result::Ok(())
        };
        if !matches!(timeout(ANSWER_TIMEOUT, draining).await, Ok(Ok(()))) {
            self.channel.dead.cancel();
        }
        left
    }

    /// Takes no more messages. Those that came but were not looked at go back to the queue, where they and
    /// all others wait for the next consumer: this is how a webhook is paused.
    pub async fn cancel(mut self) {
        if self.ended {
            return;
        }
        let cancelling = async {
            let tag = self.consumer.tag();
            self.channel.channel.basic_cancel(tag, BasicCancelOptions::default()).await?;
            let mut count = 0;
            while let Some(received) = self.next().await {
                received.receipt.give_back().await;
                count += 1;
            }
            if count > MOST_AHEAD {
                *self.channel.gave_back_at() = Some(Instant::now());
            }
            lapin::Result::Ok(())
        };
        if !matches!(timeout(ANSWER_TIMEOUT, cancelling).await, Ok(Ok(()))) {
            self.channel.dead.cancel();
        }
    }
}
