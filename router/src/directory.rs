//! What the router knows of the webhooks.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock, RwLockReadGuard},
};

use jiff::Timestamp;
use posthorn_domain::{
    event::Event,
    id::WebhookId,
    webhook::{
        State,
        updates::{Change, Update},
    },
    webhook_index::WebhookIndex,
};
use posthorn_matching::pattern::TooCostly;
use posthorn_timing::failpoint;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::metrics;

const BROKEN: &str = "a change has panicked: what is known cannot be trusted";

/// All webhooks, and the index over the rules of the enabled ones.
#[derive(Default)]
pub(crate) struct Directory {
    known: RwLock<HashMap<WebhookId, State>>,
    index: WebhookIndex,
    /// How often everything was compared with the database.
    compared: watch::Sender<u64>,
    /// Rises with every change.
    changed: watch::Sender<u64>,
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
                failpoint("router.follow");
                self.apply(&update.changes);
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
    pub(crate) fn wanting(
        &self,
        event: &Event,
        received_at: Timestamp,
        most_steps: u64,
    ) -> Result<Vec<WebhookId>, TooCostly> {
        self.index.wanting(event, received_at, most_steps)
    }

    /// Whether the webhook exists, whatever its state.
    pub(crate) fn knows(&self, id: WebhookId) -> bool {
        self.read().contains_key(&id)
    }

    /// All webhooks that exist.
    pub(crate) fn ids(&self) -> Vec<WebhookId> {
        self.read().keys().copied().collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<WebhookId, State>> {
        self.known.read().expect(BROKEN)
    }

    pub(crate) fn apply(&self, changes: &[Change]) {
        let wanted = changes.iter().map(|change| match change {
            Change::Put(webhook) if webhook.state == State::Enabled => (webhook.id, webhook.rules.as_slice()),
            Change::Put(webhook) => (webhook.id, &[][..]),
            Change::Gone(id) => (*id, &[][..]),
        });
        self.index.apply(wanted);
        let mut known = self.known.write().expect(BROKEN);
        for change in changes {
            match change {
                Change::Put(webhook) => known.insert(webhook.id, webhook.state),
                Change::Gone(id) => known.remove(id),
            };
        }
        metrics::webhooks(known.values().copied());
    }
}
