//! The webhooks' queues: made ready, restored, removed.

use std::time::Duration;

use futures_util::future::try_join_all;
use posthorn_domain::id::WebhookId;
use tokio::time::sleep;

use super::Session;
use crate::{error::BrokerError, topology::Declare};

/// How many declarations are under way on the channel: their answers come in order.
const DECLARED_AT_ONCE: usize = 100;
/// Time for the broker to tell the consumers of a deleted queue. Where it is declared again sooner,
/// brokers (seen with 3.10) move the consumers to the new queue without a word and then deliver
/// nothing to them.
const BEFORE_RESTORING: Duration = Duration::from_millis(500);
/// Between unbinding a queue and deleting it: what was being routed to it has arrived by then.
const UNBOUND_FOR: Duration = Duration::from_secs(5);

impl Session {
    /// Makes sure that deliveries to these webhooks find their queue. Tells which the broker refused.
    ///
    /// # Errors
    /// If the broker is gone or does not answer: to ask it for each webhook would take for ever.
    pub async fn accept_deliveries(
        &self,
        ids: &[WebhookId],
    ) -> Result<Vec<(WebhookId, BrokerError)>, BrokerError> {
        self.declare_webhooks(ids, Declare::Bound).await
    }

    /// Makes a webhook's queue anew that was found to be missing, so that its deliveries find it again.
    ///
    /// # Errors
    /// If the broker refuses or is gone; the session lives on.
    pub async fn restore_webhook(&self, id: WebhookId) -> Result<(), BrokerError> {
        sleep(BEFORE_RESTORING).await;
        self.declare_at_once(&[id], Declare::Bound).await
    }

    /// Removes the queues of webhooks that were deleted, with all that they hold. Tells what became of each.
    pub async fn remove_webhooks(&self, ids: &[WebhookId]) -> Vec<(WebhookId, Result<(), BrokerError>)> {
        let topology = &self.topology;
        let (mut removed, mut unbound) = (Vec::new(), Vec::new());
        for id in ids {
            let unbind = async |channel| topology.unbind_webhook(&channel, *id).await;
            match self.on_declaring_channel(unbind).await {
                Ok(()) => unbound.push(*id),
                Err(error) => removed.push((*id, Err(error))),
            }
        }
        if !unbound.is_empty() {
            // What is confirmed into a queue at the moment of its deletion is lost.
            sleep(UNBOUND_FOR).await;
        }
        for id in unbound {
            let delete = async |channel| topology.delete_webhook(&channel, id).await;
            removed.push((id, self.on_declaring_channel(delete).await));
        }
        removed
    }

    /// Declares webhooks' queues, many at a time, and tells which the broker refused.
    pub(crate) async fn declare_webhooks(
        &self,
        ids: &[WebhookId],
        declare: Declare,
    ) -> Result<Vec<(WebhookId, BrokerError)>, BrokerError> {
        let mut refused = Vec::new();
        for chunk in ids.chunks(DECLARED_AT_ONCE) {
            let Err(error) = self.declare_at_once(chunk, declare).await else { continue };
            self.refusal(error)?;
            // One that is refused closes the channel on all of them.
            for id in chunk {
                if let Err(error) = self.declare_at_once(&[*id], declare).await {
                    refused.push((*id, self.refusal(error)?));
                }
            }
        }
        if ids.len() > DECLARED_AT_ONCE {
            self.forget_declared().await;
        }
        Ok(refused)
    }

    pub(crate) async fn declare_at_once(
        &self,
        ids: &[WebhookId],
        declare: Declare,
    ) -> Result<(), BrokerError> {
        let topology = &self.topology;
        self.on_declaring_channel(async |channel| {
            let declaring = ids.iter().map(|id| topology.declare_webhook(&channel, *id, declare));
            try_join_all(declaring).await.map(|_| ())
        })
        .await
    }

    /// The error of a declaration, if the broker is there and has refused it.
    fn refusal(&self, error: BrokerError) -> Result<BrokerError, BrokerError> {
        match error {
            BrokerError::NoAnswer { .. } => Err(error),
            _ if self.consuming.status().connected() => Ok(error),
            _ => Err(error),
        }
    }
}
