//! The channels over which the webhooks' consumers are spread. A channel that dies takes only its
//! own consumers with it, and is opened anew by the first that comes back.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use futures_util::future::join_all;
use posthorn_broker::{BrokerError, ConsumerChannel, Session};
use posthorn_domain::id::WebhookId;
use tokio::sync::Mutex;

pub(crate) struct Channels {
    session: Arc<Session>,
    slots: Vec<Mutex<Option<Arc<ConsumerChannel>>>>,
    hasher: RandomState,
}

impl Channels {
    pub(crate) fn new(session: Arc<Session>, count: usize) -> Self {
        let slots = (0..count.max(1)).map(|_| Mutex::default()).collect();
        Self { session, slots, hasher: RandomState::new() }
    }

    /// The channel of a webhook's consumer.
    pub(crate) async fn of(&self, webhook: WebhookId) -> Result<Arc<ConsumerChannel>, BrokerError> {
        let position = self.hasher.hash_one(webhook) as usize % self.slots.len();
        let mut slot = self.slots[position].lock().await;
        if let Some(channel) = slot.as_ref().filter(|channel| channel.is_open()) {
            return Ok(channel.clone());
        }
        let channel = self.session.consumer_channel().await?;
        *slot = Some(channel.clone());
        Ok(channel)
    }

    /// Sends all acknowledgements that are due.
    pub(crate) async fn flush(&self) {
        join_all(self.slots.iter().map(async |slot| {
            if let Some(channel) = &*slot.lock().await {
                // A dead channel's deliveries come back, to whoever is there then.
                let _ = channel.flush().await;
            }
        }))
        .await;
    }
}
