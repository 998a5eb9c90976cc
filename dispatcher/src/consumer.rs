//! The consumer of one webhook's queue.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use posthorn_broker::{BrokerError, ConsumerPool, Queue, Received, Source};

use crate::recipient::Recipient;

/// A running consumer. Small, and without a task of its own: there are as many as webhooks, nearly all of
/// them idle.
pub(crate) struct Consumer {
    pub(crate) recipient: Arc<Recipient>,
    source: Source,
    /// How many deliveries it holds.
    prefetch: u16,
}

/// What a consumer has come to.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is made")]
pub(crate) enum Signal {
    /// A message.
    Message(Received),
    /// The webhook is paused, disabled or deleted, or the session is over.
    Stopped,
    /// Another number of deliveries is to be held.
    Resized,
    /// The queue was deleted, or the channel failed.
    Dead,
}

/// A consumer until something comes of it.
pub(crate) struct Waiting(Option<Consumer>);

impl Consumer {
    /// Starts to consume.
    ///
    /// # Errors
    /// If the broker refuses or is gone.
    pub(crate) async fn open(pool: &ConsumerPool, recipient: Arc<Recipient>) -> Result<Self, BrokerError> {
        let prefetch = recipient.prefetch();
        let source = pool.consume(Queue::Webhook(recipient.id()), prefetch).await?;
        Ok(Self { recipient, source, prefetch })
    }

    /// Takes nothing more.
    pub(crate) async fn close(self) {
        self.source.cancel().await;
    }

    fn poll_signal(&mut self, context: &mut Context<'_>) -> Poll<Signal> {
        self.recipient.changed.register(context.waker());
        if self.recipient.stop.is_cancelled() {
            return Poll::Ready(Signal::Stopped);
        }
        if self.recipient.prefetch() != self.prefetch {
            return Poll::Ready(Signal::Resized);
        }
        self.source.poll_next(context).map(|received| received.map_or(Signal::Dead, Signal::Message))
    }
}

impl From<Consumer> for Waiting {
    fn from(consumer: Consumer) -> Self {
        Self(Some(consumer))
    }
}

impl Waiting {
    /// The consumer, unless something has come of it.
    pub(crate) fn into_consumer(self) -> Option<Consumer> {
        self.0
    }
}

impl Future for Waiting {
    type Output = (Consumer, Signal);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let consumer = self.0.as_mut().expect("polled until it is ready only");
        let signal = ready!(consumer.poll_signal(context));
        Poll::Ready((self.0.take().expect("it was there"), signal))
    }
}
