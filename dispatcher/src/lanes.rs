//! The lanes of one session: one for each enabled webhook, for what is not delivered by rounds.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use posthorn_attempt::Target;
use posthorn_broker::{BrokerError, Declare, Session};
use posthorn_domain::{id::WebhookId, status::Status};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{channels::Channels, delivery::Line, lane::Lane, recipient::Recipient};

/// How many queues are declared before their lanes start.
const CHUNK: usize = 1000;

pub(crate) struct Lanes {
    session: Arc<Session>,
    line: Arc<Line>,
    channels: Arc<Channels>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// One of the lanes that start with the session. Once all are dropped, the status misses nothing.
pub(crate) struct Starting(Arc<Left>);

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

impl Lanes {
    pub(crate) fn new(session: Arc<Session>, line: Arc<Line>, channels: usize) -> Self {
        let channels = Arc::new(Channels::new(session.clone(), channels));
        let stop = CancellationToken::new();
        Self { session, line, channels, tasks: TaskTracker::new(), stop }
    }

    /// Makes the webhooks known to rounds; their lanes are still to be started.
    pub(crate) fn know(&self, targets: &[Arc<Target>]) {
        targets.iter().for_each(|target| _ = self.recipient(target.clone()));
    }

    /// Starts the lanes of all these webhooks, many at a time. `status` tells how many are left.
    ///
    /// # Errors
    /// If the broker is gone or does not answer.
    pub(crate) async fn start(&self, targets: &[Arc<Target>], status: &Status) -> Result<(), BrokerError> {
        let left = Arc::new(Left { count: Mutex::new(targets.len()), status: status.clone() });
        left.tell(targets.len());
        for chunk in targets.chunks(CHUNK) {
            let ids: Vec<_> = chunk.iter().map(|target| target.id()).collect();
            let refused = self.session.declare_webhooks(&ids, Declare::Queue).await?;
            // The lane of one that is refused tries again, and tells why if it fails.
            let refused: HashSet<_> = refused.into_iter().map(|(id, _)| id).collect();
            for target in chunk {
                let is_declared = !refused.contains(&target.id());
                let Some(recipient) = self.line.recipients.get(target.id()) else { continue };
                self.run_lane(recipient, is_declared, Some(Starting(left.clone())));
            }
        }
        Ok(())
    }

    /// Starts a webhook's lane, or tells it what has changed.
    pub(crate) fn put(&self, target: Arc<Target>) {
        match self.line.recipients.get(target.id()) {
            Some(recipient) => recipient.update(target),
            None => self.run_lane(self.recipient(target), false, None),
        }
    }

    fn recipient(&self, target: Arc<Target>) -> Arc<Recipient> {
        let id = target.id();
        let recipient = Arc::new(Recipient::new(target, self.stop.child_token()));
        self.line.recipients.insert(id, recipient.clone());
        recipient
    }

    fn run_lane(&self, recipient: Arc<Recipient>, is_declared: bool, starting: Option<Starting>) {
        let (session, line, channels) = (self.session.clone(), self.line.clone(), self.channels.clone());
        self.tasks.spawn(Lane { session, line, channels, recipient, is_declared, starting }.run());
    }

    /// Stops a webhook's lane: nothing more is taken for it, and what runs is finished.
    pub(crate) fn remove(&self, id: WebhookId) {
        if let Some(recipient) = self.line.recipients.remove(id) {
            recipient.stop.cancel();
        }
    }

    /// Stops all lanes: nothing more is taken.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Sends the acknowledgements of all that is done.
    pub(crate) async fn flush(&self) {
        self.channels.flush().await;
    }
}
