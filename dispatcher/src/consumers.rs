//! The consumers of one session: one for each enabled webhook, for what is not delivered in batches. One task
//! takes what comes in all of them.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    StreamExt,
    stream::{self, FuturesUnordered},
};
use posthorn_attempt::Target;
use posthorn_broker::{BrokerError, Session};
use posthorn_domain::{id::WebhookId, status::Status};
use posthorn_timing::failpoint;
use tokio::{
    sync::{Semaphore, mpsc},
    task::coop::consume_budget,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    consumer::{Consumer, Signal, Waiting},
    consumer_supervisor::ConsumerSupervisor,
    messages,
    pipeline::Pipeline,
    recipient::Recipient,
};

/// How many queues are declared before their consumers are opened.
const CHUNK: usize = 1000;
/// How many consumers open or close at the same time when all do.
const AT_ONCE: usize = 512;

pub(crate) struct Consumers {
    pipeline: Arc<Pipeline>,
    supervisor: Arc<ConsumerSupervisor>,
    stop: CancellationToken,
}

/// One of the consumers that start with the session. Once all are dropped, the status misses nothing.
struct Starting(Arc<Left>);

struct Left {
    count: Mutex<usize>,
    status: Status,
}

impl Drop for Starting {
    fn drop(&mut self) {
        // Told under the lock: the last one told is the last one counted.
        let mut count = self.0.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count -= 1;
        self.0.tell(*count);
    }
}

impl Left {
    fn tell(&self, left: usize) {
        let missing = format!("the queues of {left} webhooks are not consumed");
        self.status.set((left > 0).then_some(missing));
    }
}

impl Consumers {
    pub(crate) fn new(session: Arc<Session>, pipeline: Arc<Pipeline>, channels: usize) -> Self {
        let pool = session.consumer_pool(channels);
        let (sender, opened) = mpsc::channel(AT_ONCE);
        let (tasks, clock) = (TaskTracker::new(), pipeline.dispatcher.clock);
        let supervisor = Arc::new(ConsumerSupervisor { session, pool, opened: sender, tasks, clock });
        let stop = CancellationToken::new();
        supervisor.spawn(take(supervisor.clone(), pipeline.clone(), opened, stop.clone()));
        Self { pipeline, supervisor, stop }
    }

    /// Makes the webhooks known to batches; their consumers are still to be started.
    pub(crate) fn know(&self, targets: impl Iterator<Item = Arc<Target>>) -> Vec<Arc<Recipient>> {
        targets.map(|target| self.recipient(target)).collect()
    }

    /// Starts the consumers of all these, many at a time. `status` tells how many are left.
    ///
    /// # Errors
    /// If the broker is gone or does not answer.
    pub(crate) async fn start(&self, known: &[Arc<Recipient>], status: &Status) -> Result<(), BrokerError> {
        let left = Arc::new(Left { count: Mutex::new(known.len()), status: status.clone() });
        left.tell(known.len());
        let openings = Arc::new(Semaphore::new(AT_ONCE));
        for chunk in known.chunks(CHUNK) {
            let ids: Vec<_> = chunk.iter().map(|recipient| recipient.id()).collect();
            self.supervisor.pool.prepare(&ids).await?;
            for recipient in chunk {
                let permit = openings.clone().acquire_owned().await.expect("the semaphore is never closed");
                let opening = self.supervisor.clone().open(recipient.clone());
                let starting = Starting(left.clone());
                self.supervisor.spawn(async move {
                    opening.await;
                    drop((starting, permit));
                });
            }
        }
        Ok(())
    }

    /// Starts a webhook's consumer, or tells it what has changed.
    pub(crate) fn put(&self, target: Arc<Target>) {
        match self.pipeline.recipients.get(target.id) {
            Some(recipient) => recipient.update(target),
            None => {
                self.supervisor.spawn(self.supervisor.clone().open(self.recipient(target)));
            }
        }
    }

    fn recipient(&self, target: Arc<Target>) -> Arc<Recipient> {
        let id = target.id;
        let now = self.pipeline.dispatcher.clock.instant();
        let recipient = Arc::new(Recipient::new(target, self.stop.child_token(), now));
        self.pipeline.recipients.insert(id, recipient.clone());
        recipient
    }

    /// Stops a webhook's consumer: nothing more is taken for it, and what runs is finished.
    pub(crate) fn remove(&self, id: WebhookId) {
        if let Some(recipient) = self.pipeline.recipients.remove(id) {
            recipient.stop();
        }
    }

    /// Stops all consumers: nothing more is taken.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.supervisor.tasks.close();
        self.supervisor.tasks.wait().await;
    }

    /// Sends the acknowledgements of all that is done.
    pub(crate) async fn flush(&self) {
        // What is not acknowledged on a dead channel comes back, to whoever is there then.
        let _ = self.supervisor.pool.flush().await;
    }
}

/// Takes what comes in the consumers that are open until `stop`, then closes them.
async fn take(
    supervisor: Arc<ConsumerSupervisor>,
    pipeline: Arc<Pipeline>,
    mut opened: mpsc::Receiver<Consumer>,
    stop: CancellationToken,
) {
    let (mut ended, mut stopped) = (pin!(supervisor.session.ended()), pin!(stop.cancelled()));
    let mut consumers = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = &mut ended => return,
            () = &mut stopped => break,
            Some(consumer) = opened.recv() => consumers.push(Waiting::from(consumer)),
            Some((consumer, signal)) = consumers.next() => match signal {
                Signal::Message(received) => {
                    failpoint("dispatcher.take");
                    messages::start(&pipeline, &consumer.recipient, received);
                    consumers.push(Waiting::from(consumer));
                    // A backlog must not keep this thread from everybody else.
                    consume_budget().await;
                }
                Signal::Stopped => supervisor.spawn(consumer.close()),
                Signal::Resized => supervisor.resize(consumer),
                Signal::Dead => supervisor.replace(consumer),
            }
        }
    }
    opened.close();
    let open = stream::iter(consumers.into_iter().filter_map(Waiting::into_consumer));
    let late = stream::poll_fn(|context| opened.poll_recv(context));
    open.chain(late).for_each_concurrent(AT_ONCE, Consumer::close).await;
}
