//! A session: one epoch of two connections and all that runs on them.

mod declare;
mod open;
mod watch;
mod webhooks;

use std::{
    collections::BTreeSet,
    fmt::Display,
    sync::{Arc, MutexGuard, OnceLock, PoisonError},
};

use lapin::{Channel, Connection};
use posthorn_timing::caught;
use tokio::sync::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::topology::Topology;

/// Consumed queues that are told of a session that met what it cannot read.
const MOST_NAMED: usize = 5;

/// Two connections: under a memory or disk alarm the broker stops reading from one that publishes,
/// and acknowledgements must not be stuck behind that.
pub struct Session {
    pub(crate) publishing: Connection,
    pub(crate) consuming: Connection,
    pub(crate) topology: Topology,
    tasks: TaskTracker,
    /// For declares, which may fail and take their channel with them.
    declaring: Mutex<Option<Channel>>,
    ended: CancellationToken,
    /// Why it ended, if it failed.
    failure: OnceLock<String>,
    /// Some of the queues that are consumed, for whoever looks for a message that cannot be read.
    consumed: std::sync::Mutex<BTreeSet<String>>,
}

impl Session {
    /// Resolves when the session is over.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Whether the session still lives.
    pub fn is_open(&self) -> bool {
        !self.ended.is_cancelled()
    }

    /// Ends the session in good order once everything sent has been answered: closes both
    /// connections and waits for its tasks.
    pub async fn close(&self) {
        self.ended.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Ends the session because of a failure, which is logged.
    pub fn fail(&self, reason: impl Display) {
        if !self.ended.is_cancelled() && self.failure.set(reason.to_string()).is_ok() {
            tracing::warn!("lost RabbitMQ: {reason}");
            lost().increment(1);
            self.ended.cancel();
        }
    }

    /// Makes work one of this session's: if it panics, the session ends, with a message that names it. So
    /// whoever waits for the work waits no longer than for the session.
    pub fn supervise<F: Future<Output = ()>>(
        self: &Arc<Self>,
        what: &'static str,
        work: F,
    ) -> impl Future<Output = ()> + use<F> {
        let session = self.clone();
        async move {
            if let Err(panicked) = caught(work).await {
                session.fail(format_args!("{what}: {panicked}"));
            }
        }
    }

    /// Runs what the session cannot do without.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        what: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        self.tasks.spawn(self.supervise(what, work));
    }

    /// Ends the session because of a message that cannot be read. It comes back to its queue, and after
    /// a few times goes on to where it stops nobody.
    fn fail_unreadable(&self, words: &str) {
        let queues = self.consumed().iter().cloned().collect::<Vec<_>>().join(", ");
        let reason = format!("a message of {queues} cannot be read: {words}");
        if self.failure.set(reason.clone()).is_ok() {
            tracing::error!("lost RabbitMQ: {reason}");
            lost().increment(1);
            self.ended.cancel();
        }
    }

    /// Why the session ended, if it failed.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    pub(crate) fn consumes(&self, queue: &str) {
        let mut consumed = self.consumed();
        if consumed.len() < MOST_NAMED {
            consumed.insert(queue.to_owned());
        }
    }

    fn consumed(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.consumed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.publishing.status().blocked()
    }
}

fn lost() -> metrics::Counter {
    metrics::counter!("posthorn_broker_sessions_lost_total")
}
