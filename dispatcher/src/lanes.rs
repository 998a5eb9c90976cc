//! The lanes of one session: one for each enabled webhook.

use std::{collections::HashMap, sync::Arc};

use posthorn_broker::Session;
use posthorn_domain::id::WebhookId;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{channels::Channels, delivery::Line, lane::Lane, target::Target};

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

impl Lanes {
    pub(crate) fn new(session: Arc<Session>, line: Arc<Line>, channels: usize) -> Self {
        let channels = Arc::new(Channels::new(session.clone(), channels));
        let stop = CancellationToken::new();
        Self { session, line, channels, running: HashMap::new(), tasks: TaskTracker::new(), stop }
    }

    /// Starts a webhook's lane, or tells it what has changed.
    pub(crate) fn put(&mut self, target: Arc<Target>) {
        if let Some(running) = self.running.get(&target.id()) {
            running.target.send_replace(target);
            return;
        }
        let stop = self.stop.child_token();
        let id = target.id();
        let (sender, receiver) = watch::channel(target);
        let lane = Lane {
            session: self.session.clone(),
            line: self.line.clone(),
            channels: self.channels.clone(),
            target: receiver,
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
