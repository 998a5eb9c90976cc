//! The webhooks' queues.

use lapin::{Channel, options::QueueDeleteOptions, types::FieldTable};
use posthorn_domain::id::WebhookId;

use super::{
    arguments::arguments,
    entities::{bind, queue},
    installation::Topology,
};
use crate::error::{BrokerError, not_found};

/// What is declared of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declare {
    /// Its queue and the binding that brings deliveries: what routers need.
    Bound,
    /// Its queue alone, which is several times faster: what dispatchers need.
    Queue,
}

impl Topology {
    /// Declares a webhook's queue and, where wanted, binds it.
    pub(crate) async fn declare_webhook(
        &self,
        channel: &Channel,
        id: WebhookId,
        declare: Declare,
    ) -> Result<(), BrokerError> {
        let name = self.names.webhook(id);
        queue(channel, &name, arguments(self.queue_type)).await?;
        match declare {
            Declare::Queue => Ok(()),
            Declare::Bound => bind(channel, &name, &self.names.deliveries(), &id.to_string()).await,
        }
    }

    /// Unbinds a webhook's queue: nothing new comes into it.
    pub(crate) async fn unbind_webhook(&self, channel: &Channel, id: WebhookId) -> Result<(), BrokerError> {
        let (queue, exchange, key) = (self.names.webhook(id), self.names.deliveries(), id.to_string());
        let done = channel.queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default());
        done.await.map_err(BrokerError::amqp("unbind a webhook's queue"))
    }

    /// Deletes a webhook's queue with all that it holds.
    pub(crate) async fn delete_webhook(&self, channel: &Channel, id: WebhookId) -> Result<(), BrokerError> {
        let queue = self.names.webhook(id);
        match channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await {
            Ok(_) => Ok(()),
            Err(error) if not_found(&error).is_some() => Ok(()),
            Err(error) => Err(BrokerError::amqp("delete a webhook's queue")(error)),
        }
    }
}
