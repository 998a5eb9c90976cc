//! Declares the queues of webhooks ahead of their first delivery. A delivery that is faster becomes
//! an orphan for a moment.

use std::{collections::HashSet, sync::Arc, time::Duration};

use posthorn_broker::{BrokerError, Session};
use posthorn_domain::{error_chain::error_chain, id::WebhookId, status::Status};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::directory::Directory;

const PAUSE: Duration = Duration::from_secs(30);
/// How many are declared between two looks at what has changed.
const CHUNK: usize = 1000;

/// The declaring of one session.
pub(crate) struct Declaring<'a> {
    session: &'a Arc<Session>,
    directory: &'a Directory,
    status: &'a Status,
    is_done: watch::Sender<bool>,
}

impl<'a> Declaring<'a> {
    pub(crate) fn new(session: &'a Arc<Session>, directory: &'a Directory, status: &'a Status) -> Self {
        Self { session, directory, status, is_done: watch::Sender::new(false) }
    }

    /// Waits until every webhook's queue was declared or refused; false if that does not happen.
    pub(crate) async fn declared(&self, halt: &CancellationToken) -> bool {
        let mut is_done = self.is_done.subscribe();
        tokio::select! {
            done = is_done.wait_for(|done| *done) => done.is_ok(),
            () = self.session.ended() => false,
            () = halt.cancelled() => false,
        }
    }

    /// Declares what is new until the session ends or `halt`. Ends the session if the broker does not
    /// answer; the next one goes on where queues are missing.
    pub(crate) async fn run(&self, halt: &CancellationToken) {
        tokio::select! {
            failed = self.declare() => self.session.fail(error_chain(&failed)),
            () = self.session.ended() => {}
            () = halt.cancelled() => {}
        }
    }

    /// Returns only if it cannot go on.
    async fn declare(&self) -> BrokerError {
        let mut declared = HashSet::new();
        let mut changes = self.directory.changes();
        loop {
            changes.mark_unchanged();
            let mut missing = self.directory.ids();
            missing.retain(|id| !declared.contains(id));
            for (position, chunk) in missing.chunks(CHUNK).enumerate() {
                if !*self.is_done.borrow() {
                    let left = missing.len() - position * CHUNK;
                    self.status.set(Some(format!("the queues of {left} webhooks have not been declared")));
                }
                match self.declare_chunk(chunk).await {
                    Ok(done) => declared.extend(done),
                    Err(error) => return error,
                }
            }
            self.status.set(None);
            self.is_done.send_replace(true);
            declared.retain(|id| self.directory.knows(*id));
            tokio::select! {
                changed = changes.changed() => changed.expect("the directory outlives the session"),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Tells which are declared. The others don't hold them up; they are tried again after the pause.
    async fn declare_chunk(&self, chunk: &[WebhookId]) -> Result<Vec<WebhookId>, BrokerError> {
        let refused = self.session.accept_deliveries(chunk).await?;
        for (id, error) in &refused {
            tracing::error!(webhook.id = %id, "cannot declare a webhook's queue: {}", error_chain(error));
        }
        let refused: HashSet<_> = refused.into_iter().map(|(id, _)| id).collect();
        Ok(chunk.iter().copied().filter(|id| !refused.contains(id)).collect())
    }
}
