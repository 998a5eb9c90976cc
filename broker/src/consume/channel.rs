//! A channel that consumes, with one task that sends its acknowledgements.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use lapin::{
    Channel, Consumer,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use posthorn_domain::error_chain::error_chain;
use posthorn_timing::failpoint;
use tokio::{
    sync::{Notify, RwLock, Semaphore},
    time::{sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    acks::{Ack, Acks, ConsumerId},
    error::{ANSWER_TIMEOUT, BrokerError, answered},
    session::Session,
};

/// How many consumers of a channel start at the same time.
const STARTS_AT_ONCE: usize = 32;

/// A broker's channel hands a quorum queue at most 32 commands ahead (`quorum_commands_soft_limit`) and
/// keeps the others to itself: they are forgotten if it is closed. So after giving many messages back,
/// it gets so long before the acknowledgements behind them count as sent.
const CATCHING_UP: Duration = Duration::from_secs(1);

/// One that fails is dead with all its consumers: what they hold comes back.
pub(super) struct ConsumerChannel {
    pub(super) channel: Channel,
    acks: Mutex<Acks>,
    due_changed: Notify,
    /// Held from choosing acknowledgements to having sent them: those of a later choice must not overtake
    /// them. Within one choice their order means nothing.
    sending: tokio::sync::Mutex<()>,
    pub(super) dead: CancellationToken,
    /// How many consumers were started.
    consumers: AtomicU32,
    /// Bounds how many consumers wait for the answer to their start.
    starts: Semaphore,
    /// The prefetch of the consumers that start. The broker gives each the one that was set last: held for
    /// reading while consumers start with it, for writing while another is set.
    prefetch: RwLock<Option<u16>>,
    /// When a cancelled consumer gave many messages back.
    gave_back_at: Mutex<Option<Instant>>,
}

impl ConsumerChannel {
    pub(super) async fn open(session: &Arc<Session>) -> Result<Arc<Self>, BrokerError> {
        let channel = Arc::new(Self {
            channel: answered("open a channel", session.consuming.create_channel()).await?,
            acks: Mutex::new(Acks::new()),
            due_changed: Notify::new(),
            sending: Default::default(),
            dead: CancellationToken::new(),
            consumers: AtomicU32::new(0),
            starts: Semaphore::new(STARTS_AT_ONCE),
            prefetch: Default::default(),
            gave_back_at: Default::default(),
        });
        session.spawn("the task that acknowledges", acknowledge(session.clone(), channel.clone()));
        Ok(channel)
    }

    /// Starts a consumer that holds at most `prefetch` messages.
    pub(super) async fn start(
        &self,
        queue: &str,
        prefetch: u16,
    ) -> Result<(ConsumerId, Consumer), BrokerError> {
        let id = ConsumerId(self.consumers.fetch_add(1, Relaxed));
        let _start = self.starts.acquire().await.expect("the semaphore is never closed");
        let started = answered("consume a queue", self.consume(queue, id, prefetch)).await;
        Ok((id, started.inspect_err(|_| self.dead.cancel())?))
    }

    async fn consume(&self, queue: &str, id: ConsumerId, prefetch: u16) -> lapin::Result<Consumer> {
        let mut set = self.prefetch.read().await;
        if *set != Some(prefetch) {
            drop(set);
            let mut setting = self.prefetch.write().await;
            *setting = None; // unknown, if this is dropped on the way
            self.channel.basic_qos(prefetch, BasicQosOptions { global: false }).await?;
            *setting = Some(prefetch);
            set = setting.downgrade();
        }
        // Unique in its channel, and shorter than the broker's: lapin keeps five copies of it.
        let tag = id.0.to_string();
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumer = self.channel.basic_consume(queue.into(), tag.into(), options, arguments).await;
        drop(set);
        consumer
    }

    /// Whether it can still be used.
    pub(super) fn is_open(&self) -> bool {
        !self.dead.is_cancelled() && self.channel.status().connected()
    }

    /// Sends every acknowledgement that is due, and returns when the channel may be closed.
    pub(super) async fn flush(&self) -> Result<(), BrokerError> {
        self.acknowledge_due(true).await?;
        let gave_back_at = *self.gave_back_at();
        if let Some(at) = gave_back_at {
            sleep_until((at + CATCHING_UP).into()).await;
        }
        Ok(())
    }

    /// The delivery is done: its acknowledgement is due soon.
    pub(super) fn finish(&self, tag: u64, consumer: ConsumerId, prefetch: u16) {
        if self.acks().finish(tag, consumer, prefetch, Instant::now()) {
            self.due_changed.notify_one();
        }
    }

    pub(super) fn acks(&self) -> MutexGuard<'_, Acks> {
        self.acks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn gave_back_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.gave_back_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn acknowledge_due(&self, all: bool) -> Result<(), BrokerError> {
        let _sending = self.sending.lock().await;
        let due = self.acks().due(Instant::now(), all);
        self.send(due).await
    }

    async fn send(&self, acks: Vec<Ack>) -> Result<(), BrokerError> {
        let send = |Ack { tag, multiple }| self.channel.basic_ack(tag, BasicAckOptions { multiple });
        let sent = async { join_all(acks.into_iter().map(send)).await.into_iter().collect() };
        answered("acknowledge", sent).await.inspect_err(|_| self.dead.cancel())
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
        failpoint("broker.acknowledge");
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
