//! What whoever must know all webhooks is told of them.

use std::sync::Arc;

use super::Webhook;
use crate::id::WebhookId;

/// Something about a webhook has changed.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is new, or different.
    Put(Arc<Webhook>),
    /// It was deleted.
    Gone(WebhookId),
}

/// What a watcher is told.
#[derive(Debug, Clone)]
pub struct Update {
    /// What has changed.
    pub changes: Vec<Change>,
    /// Whether this comes of comparing everything: what is not known after it did not exist before.
    pub compared: bool,
}
