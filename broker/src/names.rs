//! The names of exchanges and queues. All begin with the installation's prefix, and none leaves this crate.

use std::time::Duration;

use posthorn_domain::id::WebhookId;

/// The names of one installation.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    /// Names that begin with `prefix`.
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// The topic exchange where services publish.
    pub(crate) fn events(&self) -> String {
        format!("{}.events", self.prefix)
    }

    /// The router's queue.
    pub(crate) fn router(&self) -> String {
        format!("{}.router", self.prefix)
    }

    /// The exchange and the queue of events that came back to the router's queue again and again.
    pub(crate) fn suspect_events(&self) -> String {
        format!("{}.suspects.events", self.prefix)
    }

    /// The exchange and the queue of deliveries that came back to a webhook's queue again and again.
    pub(crate) fn suspect_deliveries(&self) -> String {
        format!("{}.suspects.deliveries", self.prefix)
    }

    /// The exchange and the queue of events that no router survives. Nobody reads it.
    pub(crate) fn quarantine(&self) -> String {
        format!("{}.quarantine", self.prefix)
    }

    /// The exchange and the queue of batches, from routers to dispatchers.
    pub(crate) fn batches(&self) -> String {
        format!("{}.batches", self.prefix)
    }

    /// The direct exchange of deliveries; the routing key is the webhook's id.
    pub(crate) fn deliveries(&self) -> String {
        format!("{}.deliveries", self.prefix)
    }

    /// A webhook's queue.
    pub(crate) fn webhook(&self, id: WebhookId) -> String {
        format!("{}.webhook.{id}", self.prefix)
    }

    /// The exchange and the queue of retries after this delay.
    pub(crate) fn retry(&self, delay: Duration) -> String {
        format!("{}.retry.{}", self.prefix, delay.as_millis())
    }

    /// The exchange and the queue of deliveries whose webhook has no queue.
    pub(crate) fn orphans(&self) -> String {
        format!("{}.orphans", self.prefix)
    }

    /// The exchange and the queue of the journal.
    pub(crate) fn journal(&self) -> String {
        format!("{}.journal", self.prefix)
    }
}
