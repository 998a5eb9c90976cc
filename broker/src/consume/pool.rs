//! Consumers, spread over channels. A channel that dies takes only its own consumers with it, and is opened
//! anew by the first that comes back.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    sync::{Arc, MutexGuard, PoisonError},
};

use futures_util::future::join_all;
use posthorn_domain::id::WebhookId;
use tokio::sync::Mutex;

use super::{channel::ConsumerChannel, source::Source};
use crate::{error::BrokerError, queue::Queue, session::Session, topology::Declare};

/// The consumers of one session, spread over channels.
pub struct ConsumerPool {
    session: Arc<Session>,
    slots: Vec<Mutex<Option<Arc<ConsumerChannel>>>>,
    hasher: RandomState,
    /// Webhooks whose queue was declared ahead of its consumer.
    prepared: std::sync::Mutex<HashSet<WebhookId>>,
}

impl Session {
    /// Consumers that are spread over so many channels; each is opened when it is needed.
    pub fn consumer_pool(self: &Arc<Self>, channels: usize) -> ConsumerPool {
        let slots = (0..channels.max(1)).map(|_| Mutex::default()).collect();
        let (hasher, prepared) = (RandomState::new(), Default::default());
        ConsumerPool { session: self.clone(), slots, hasher, prepared }
    }
}

impl ConsumerPool {
    /// Declares the queues of webhooks that are to be consumed next, many at a time. One that the broker
    /// refuses is left to [`ConsumerPool::consume`], which tells why.
    ///
    /// # Errors
    /// If the broker is gone or does not answer.
    pub async fn prepare(&self, ids: &[WebhookId]) -> Result<(), BrokerError> {
        let refused = self.session.declare_webhooks(ids, Declare::Queue).await?;
        let mut prepared = self.prepared();
        prepared.extend(ids);
        for (id, _) in refused {
            prepared.remove(&id);
        }
        Ok(())
    }

    /// Starts to consume a queue, with at most `prefetch` messages unanswered. A webhook's queue is made if
    /// it is missing.
    ///
    /// # Errors
    /// If the broker refuses, which kills the channel with all its consumers, or is gone.
    pub async fn consume(&self, queue: Queue, prefetch: u16) -> Result<Source, BrokerError> {
        if let Queue::Webhook(id) = queue
            && !self.prepared().remove(&id)
        {
            self.session.declare_at_once(&[id], Declare::Bound).await?;
        }
        let name = queue.name(&self.session.topology.names);
        self.session.consumes(&name);
        Source::start(self.channel(queue).await?, &name, prefetch).await
    }

    /// Sends all acknowledgements that are due, and returns when the channels may be closed.
    ///
    /// # Errors
    /// If a channel is dead: what was to be acknowledged on it comes back.
    pub async fn flush(&self) -> Result<(), BrokerError> {
        let flushing = self.slots.iter().map(async |slot| match &*slot.lock().await {
            Some(channel) => channel.flush().await,
            None => Ok(()),
        });
        join_all(flushing).await.into_iter().collect()
    }

    async fn channel(&self, queue: Queue) -> Result<Arc<ConsumerChannel>, BrokerError> {
        let position = self.hasher.hash_one(queue) as usize % self.slots.len();
        let mut slot = self.slots[position].lock().await;
        if let Some(channel) = slot.as_ref().filter(|channel| channel.is_open()) {
            return Ok(channel.clone());
        }
        let channel = ConsumerChannel::open(&self.session).await?;
        *slot = Some(channel.clone());
        Ok(channel)
    }

    fn prepared(&self) -> MutexGuard<'_, HashSet<WebhookId>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
