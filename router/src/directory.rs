//! What the router knows of the webhooks.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

use jiff::Timestamp;
use posthorn_domain::{
    event::Event,
    id::WebhookId,
    index::Index,
    webhook::{State, Webhook},
};
use posthorn_store::{Change, Update};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// All webhooks, and the index over the enabled ones. Matching reads it, changes wait for nobody
/// longer than a match takes.
#[derive(Default)]
pub(crate) struct Directory {
    known: RwLock<Known>,
    /// How often everything was compared with the database.
    compared: watch::Sender<u64>,
    /// Rises with every change.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Known {
    webhooks: HashMap<WebhookId, Arc<Webhook>>,
    index: Index,
}

impl Directory {
    /// Takes in what the watch tells until `stop`.
    pub(crate) async fn follow(
        self: Arc<Self>,
        mut updates: mpsc::Receiver<Update>,
        stop: CancellationToken,
    ) {
        while let Some(Some(update)) = stop.run_until_cancelled(updates.recv()).await {
            if !update.changes.is_empty() {
                tracing::debug!(changes = update.changes.len(), "webhooks have changed");
                self.apply(update.changes);
                self.changed.send_modify(|count| *count += 1);
            }
            if update.compared {
                self.compared.send_modify(|count| *count += 1);
            }
        }
    }

    /// Waits until the webhooks are known.
    pub(crate) async fn loaded(&self) {
        self.wait_for_compared(1).await;
    }

    /// Waits until everything was compared `count` times.
    pub(crate) async fn wait_for_compared(&self, count: u64) {
        let mut compared = self.compared.subscribe();
        compared.wait_for(|compared| *compared >= count).await.expect("we hold the sender");
    }

    /// How often everything was compared so far.
    pub(crate) fn compared(&self) -> u64 {
        *self.compared.borrow()
    }

    /// Tells of changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The webhooks that want the event, which arrived at `received_at`.
    pub(crate) fn wanting(&self, event: &Event, received_at: Timestamp) -> Vec<WebhookId> {
        self.read().index.wanting(event, received_at)
    }

    /// Whether the webhook exists, whatever its state.
    pub(crate) fn knows(&self, id: WebhookId) -> bool {
        self.read().webhooks.contains_key(&id)
    }

    /// All webhooks that exist.
    pub(crate) fn ids(&self) -> Vec<WebhookId> {
        self.read().webhooks.keys().copied().collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().expect("a match or a change has panicked: the index cannot be trusted")
    }

    fn apply(&self, changes: Vec<Change>) {
        let mut known =
            self.known.write().expect("a match or a change has panicked: the index cannot be trusted");
        for change in changes {
            known.apply(change);
        }
    }
}

impl Known {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Put(webhook) => {
                if webhook.state == State::Enabled {
                    self.index.put(webhook.id, &webhook.rules);
                } else {
                    self.index.remove(webhook.id);
                }
                self.webhooks.insert(webhook.id, webhook);
            }
            Change::Gone(id) => {
                self.index.remove(id);
                self.webhooks.remove(&id);
            }
        }
    }
}
