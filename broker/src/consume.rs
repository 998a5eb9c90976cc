//! Consuming: a channel, its consumers, and the acknowledgements of what they receive.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt, StreamExt,
    future::{join, join_all},
};
use lapin::{
    Channel, Consumer,
    options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions},
    types::FieldTable,
};
use posthorn_domain::error_chain::error_chain;
use tokio::{
    sync::{Notify, Semaphore},
    time::{sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    acks::{Ack, Acks, ConsumerId},
    error::{ANSWER_TIMEOUT, BrokerError, answered},
    message::Message,
    session::Session,
};

/// How many consumers of a channel start at the same time.
const STARTS_AT_ONCE: usize = 32;

/// A broker's channel hands a quorum queue at most 32 commands ahead (`quorum_commands_soft_limit`) and
/// keeps the others to itself: they are forgotten if it is closed. So after giving many messages back,
/// it gets so long before the acknowledgements behind them count as sent.
const CATCHING_UP: Duration = Duration::from_secs(1);
const MOST_AHEAD: usize = 16;

/// A channel that consumes, with one task that sends its acknowledgements in order.
pub struct ConsumerChannel {
    session: Arc<Session>,
    channel: Channel,
    acks: Mutex<Acks>,
    due_changed: Notify,
    /// Held from choosing acknowledgements to sending them: their order matters.
    sending: tokio::sync::Mutex<()>,
    dead: CancellationToken,
    /// How many consumers were started.
    consumers: AtomicU32,
    /// Bounds how many consumers wait for the answer to their start.
    starts: Semaphore,
    /// Held while a start's frames are queued.
    starting: Mutex<()>,
    /// When a cancelled consumer gave many messages back.
    gave_back_at: Mutex<Option<Instant>>,
}

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

/// The right to answer a message, once. Dropped unanswered, the message comes back when the channel
/// closes.
pub struct Receipt {
    tag: u64,
    consumer: ConsumerId,
    prefetch: u16,
    channel: Arc<ConsumerChannel>,
}

impl Session {
    /// Opens a channel for consuming.
    ///
    /// # Errors
    /// If the broker refuses or is gone.
    pub async fn consumer_channel(self: &Arc<Self>) -> Result<Arc<ConsumerChannel>, BrokerError> {
        let channel = answered("open a channel", self.consuming.create_channel()).await?;
        let channel = Arc::new(ConsumerChannel {
            session: self.clone(),
            channel,
            acks: Mutex::new(Acks::new()),
            due_changed: Notify::new(),
            consumers: AtomicU32::new(0),
            sending: tokio::sync::Mutex::new(()),
            dead: CancellationToken::new(),
            starts: Semaphore::new(STARTS_AT_ONCE),
            starting: Mutex::new(()),
            gave_back_at: Mutex::new(None),
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
        self.session.consumes(queue);
        let id = ConsumerId(self.consumers.fetch_add(1, Relaxed));
        // Unique in its channel, and shorter than the broker's: lapin keeps five copies of it.
        let tag = id.0.to_string();
        let start = async {
            let qos = self.channel.basic_qos(prefetch, BasicQosOptions { global: false });
            let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
            let consume = self.channel.basic_consume(queue.into(), tag.into(), options, arguments);
            // The frames of both are queued when they are polled first, in this order.
            let (limited, consumer) = join(qos, consume).await;
            limited.and(consumer)
        };
        let _turn = self.starts.acquire().await.expect("the semaphore is never closed");
        let mut start = pin!(timeout(ANSWER_TIMEOUT, start));
        let mut is_first = true;
        let started = poll_fn(|context| {
            // Prefetch applies to the consumer that is started next.
            let _alone = is_first.then(|| self.starting.lock().unwrap_or_else(PoisonError::into_inner));
            is_first = false;
            start.as_mut().poll(context)
        });
        let started = started.await.unwrap_or_else(|_| Err(silent()));
        let consumer = started.inspect_err(|_| self.dead.cancel()).map_err(BrokerError::amqp(task))?;
        Ok(Source { consumer, id, prefetch, channel: self.clone(), ended: false })
    }

    /// Whether it can still be used.
    pub fn is_open(&self) -> bool {
        !self.dead.is_cancelled() && self.channel.status().connected()
    }

    /// Sends every acknowledgement that is due, and returns when the channel may be closed.
    ///
    /// # Errors
    /// If the channel is dead: what was to be acknowledged comes back.
    pub async fn flush(&self) -> Result<(), BrokerError> {
        self.acknowledge_due(true).await?;
        let gave_back_at = *self.gave_back_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = gave_back_at {
            sleep_until((at + CATCHING_UP).into()).await;
        }
        Ok(())
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

    /// Takes no more messages. Those that came but were not looked at go back to the queue.
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
                let mut gave_back_at =
                    self.channel.gave_back_at.lock().unwrap_or_else(PoisonError::into_inner);
                *gave_back_at = Some(Instant::now());
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
        if self.channel.acks().finish(self.tag, self.consumer, self.prefetch, Instant::now()) {
            self.channel.due_changed.notify_one();
        }
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
            () = channel.due_changed.notified() => {}
            () = patience => {}
        }
        if let Err(error) = channel.acknowledge_due(false).await {
            tracing::warn!("lost a channel of RabbitMQ: {}", error_chain(&error));
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
