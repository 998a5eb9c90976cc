//! Consuming: a channel, its consumers, and the acknowledgements of what they receive.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use futures_util::{StreamExt, future::join_all};
use lapin::{
    Channel, Consumer,
    options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions},
    types::FieldTable,
};
use posthorn_domain::told::told;
use tokio::{
    sync::Notify,
    time::{sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    acks::{Ack, Acks},
    error::BrokerError,
    message::Message,
    session::{ANSWER_TIMEOUT, Session},
};

/// A channel that consumes, with one task that sends its acknowledgements in order.
pub struct ConsumerChannel {
    channel: Channel,
    acks: Mutex<Acks>,
    finished: Notify,
    /// Held from choosing acknowledgements to sending them: their order matters.
    sending: tokio::sync::Mutex<()>,
    dead: CancellationToken,
    /// Prefetch applies to the consumer that is started next.
    starting: tokio::sync::Mutex<()>,
}

/// The messages of one queue.
pub struct Source {
    consumer: Consumer,
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

/// The right to answer a message, once. Dropped unanswered, the message comes back when the channel
/// closes.
pub struct Receipt {
    tag: u64,
    channel: Arc<ConsumerChannel>,
}

impl Session {
    /// Opens a channel for consuming.
    ///
    /// # Errors
    /// If the broker refuses or is gone.
    pub async fn consumer_channel(self: &Arc<Self>) -> Result<Arc<ConsumerChannel>, BrokerError> {
        let task = "open a channel";
        let opened = timeout(ANSWER_TIMEOUT, self.consuming.create_channel()).await;
        let channel = opened.map_err(|_| BrokerError::NoAnswer { task })?.map_err(BrokerError::amqp(task))?;
        let channel = Arc::new(ConsumerChannel {
            channel,
            acks: Mutex::new(Acks::new()),
            finished: Notify::new(),
            sending: tokio::sync::Mutex::new(()),
            dead: CancellationToken::new(),
            starting: tokio::sync::Mutex::new(()),
        });
        self.tasks.spawn(acknowledge(self.clone(), channel.clone()));
        Ok(channel)
    }
}

impl ConsumerChannel {
    /// Starts to consume a queue, with at most `prefetch` messages unanswered.
    ///
    /// # Errors
    /// If the broker refuses, which kills the channel with all its consumers, or is gone.
    pub async fn consume(self: &Arc<Self>, queue: &str, prefetch: u16) -> Result<Source, BrokerError> {
        let task = "consume a queue";
        let _starting = self.starting.lock().await;
        let start = async {
            self.channel.basic_qos(prefetch, BasicQosOptions { global: false }).await?;
            let options = BasicConsumeOptions::default();
            self.channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await
        };
        let started = timeout(ANSWER_TIMEOUT, start).await.unwrap_or_else(|_| Err(silent()));
        let consumer = started.inspect_err(|_| self.dead.cancel()).map_err(BrokerError::amqp(task))?;
        Ok(Source { consumer, channel: self.clone(), ended: false })
    }

    /// Whether it can still be used.
    pub fn is_open(&self) -> bool {
        !self.dead.is_cancelled() && self.channel.status().connected()
    }

    /// Sends every acknowledgement that is due, and returns when they are on their way.
    ///
    /// # Errors
    /// If the channel is dead: what was to be acknowledged comes back.
    pub async fn flush(&self) -> Result<(), BrokerError> {
        self.acknowledge_due(true).await
    }

    async fn acknowledge_due(&self, all: bool) -> Result<(), BrokerError> {
        let _sending = self.sending.lock().await;
        let due = self.acks().due(Instant::now(), all);
        self.send(due).await
    }

    fn acks(&self) -> MutexGuard<'_, Acks> {
        self.acks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, acks: Vec<Ack>) -> Result<(), BrokerError> {
        // Frames are queued in order when each is polled first; waiting for each write is not needed.
        let sent = join_all(
            acks.into_iter()
                .map(|ack| self.channel.basic_ack(ack.tag, BasicAckOptions { multiple: ack.multiple })),
        );
        let sent = timeout(ANSWER_TIMEOUT, sent).await.unwrap_or_else(|_| vec![Err(silent())]);
        let sent: Result<Vec<()>, _> = sent.into_iter().collect();
        sent.map(|_| ()).inspect_err(|_| self.dead.cancel()).map_err(BrokerError::amqp("acknowledge"))
    }
}

impl Source {
    /// The next message; `None` when the consumer is dead: its queue is gone, or its channel is.
    pub async fn next(&mut self) -> Option<Received> {
        if self.ended {
            return None;
        }
        let next = tokio::select! {
            next = self.consumer.next() => next,
            () = self.channel.dead.cancelled() => None,
        };
        match next {
            Some(Ok(delivery)) => {
                let receipt = Receipt { tag: delivery.delivery_tag, channel: self.channel.clone() };
                return Some(Received { message: Message::read(delivery), receipt });
            }
            Some(Err(error)) => {
                tracing::debug!(%error, queue = %self.consumer.queue(), "the consumer has failed");
                self.channel.dead.cancel();
            }
            None => {}
        }
        self.ended = true;
        None
    }

    /// Takes no more messages. Those that came but were not looked at go back to the queue.
    pub async fn cancel(mut self) {
        if self.ended {
            return;
        }
        let cancelling = async {
            let tag = self.consumer.tag();
            self.channel.channel.basic_cancel(tag, BasicCancelOptions::default()).await?;
            while let Some(received) = self.next().await {
                received.receipt.give_back().await;
            }
            lapin::Result::Ok(())
        };
        if !matches!(timeout(ANSWER_TIMEOUT, cancelling).await, Ok(Ok(()))) {
            self.channel.dead.cancel();
        }
    }
}

impl Receipt {
    /// The work is done and safe: acknowledges the message soon.
    pub fn finish(self) {
        self.channel.acks().finish(self.tag, Instant::now());
        self.channel.finished.notify_one();
    }

    /// Gives the message back to its queue.
    pub async fn give_back(self) {
        let options = BasicNackOptions { requeue: true, multiple: false };
        if self.channel.channel.basic_nack(self.tag, options).await.is_err() {
            self.channel.dead.cancel();
        }
        // Not before: a run of acknowledgements that passes over the tag must not overtake the nack.
        self.channel.acks().give_back(self.tag);
    }
}

async fn acknowledge(session: Arc<Session>, channel: Arc<ConsumerChannel>) {
    loop {
        let next_due = channel.acks().next_due();
        let patience = async {
            match next_due {
                Some(at) => sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = session.ended() => return,
            () = channel.dead.cancelled() => break,
            () = channel.finished.notified() => {}
            () = patience => {}
        }
        if let Err(error) = channel.acknowledge_due(false).await {
            tracing::warn!("lost a channel of RabbitMQ: {}", told(&error));
            break;
        }
    }
    // What is unanswered goes back to its queue when the channel is closed, not before.
    if channel.channel.status().connected() {
        let closing = channel.channel.close(200, "dead".into());
        if !matches!(timeout(ANSWER_TIMEOUT, closing).await, Ok(Ok(()))) {
            session.fail("a channel cannot be closed");
        }
    }
}

fn silent() -> lapin::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "RabbitMQ does not answer").into()
}
