//! The lanes of one session: one for each enabled webhook.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use posthorn_broker::{BrokerError, Declare, Session};
use posthorn_domain::{id::WebhookId, status::Status};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{channels::Channels, delivery::Line, lane::Lane, target::Target};

/// How many queues are declared before their lanes start.
const CHUNK: usize = 1000;

pub(crate) struct Lanes {
    session: Arc<Session>,
    line: Arc<Line>,
    channels: Arc<Channels>,
    running: HashMap<WebhookId, Running>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

struct Running {
    target: watch::Sender<Arc<Target>>,
    stop: CancellationToken,
}

/// One of the lanes that start with the session. Once all are dropped, the status misses nothing.
pub(crate) struct Starting(Arc<Left>);

struct Left {
    count: AtomicUsize,
    status: Status,
}

impl Drop for Starting {
    fn drop(&mut self) {
        let left = self.0.count.fetch_sub(1, Relaxed) - 1;
        self.0.tell(left);
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
        Self { session, line, channels, running: HashMap::new(), tasks: TaskTracker::new(), stop }
    }

    /// Starts the lanes of all these webhooks, many at a time. `status` tells how many are left.
    ///
    /// # Errors
    /// If the broker is gone or does not answer.
    pub(crate) async fn start(
        &mut self,
        targets: Vec<Arc<Target>>,
        status: &Status,
    ) -> Result<(), BrokerError> {
        let left = Arc::new(Left { count: AtomicUsize::new(targets.len()), status: status.clone() });
        left.tell(targets.len());
        for chunk in targets.chunks(CHUNK) {
            let ids: Vec<_> = chunk.iter().map(|target| target.id()).collect();
            let refused = self.session.declare_webhooks(&ids, Declare::Queue).await?;
            // The lane of one that is refused tries again, and tells why if it fails.
            let refused: HashSet<_> = refused.into_iter().map(|(id, _)| id).collect();
            for target in chunk {
                let is_declared = !refused.contains(&target.id());
                self.run_lane(target.clone(), is_declared, Some(Starting(left.clone())));
            }
        }
        Ok(())
    }

    /// Starts a webhook's lane, or tells it what has changed.
    pub(crate) fn put(&mut self, target: Arc<Target>) {
        match self.running.get(&target.id()) {
            Some(running) => _ = running.target.send_replace(target),
            None => self.run_lane(target, false, None),
        }
    }

    fn run_lane(&mut self, target: Arc<Target>, is_declared: bool, starting: Option<Starting>) {
        let stop = self.stop.child_token();
        let id = target.id();
        let (sender, receiver) = watch::channel(target);
        let lane = Lane {
            session: self.session.clone(),
            line: self.line.clone(),
            channels: self.channels.clone(),
            target: receiver,
            is_declared,
            starting,
            stop: stop.clone(),
        };
        self.tasks.spawn(lane.run());
        self.running.insert(id, Running { target: sender, stop });
    }

    /// Stops a webhook's lane: it takes nothing more, and what runs is finished.
    pub(crate) fn remove(&mut self, id: WebhookId) {
        if let Some(running) = self.running.remove(&id) {
            running.stop.cancel();
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
