//! The names of exchanges and queues. All begin with the installation's prefix.

use std::time::Duration;

use posthorn_domain::id::WebhookId;

/// The names of one installation.
#[derive(Debug, Clone)]
pub struct Names {
    prefix: String,
}

impl Names {
    /// Names that begin with `prefix`.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// What they begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The topic exchange where services publish.
    pub fn events(&self) -> String {
        format!("{}.events", self.prefix)
    }

    /// The router's queue.
    pub fn router(&self) -> String {
        format!("{}.router", self.prefix)
    }

    /// The exchange and the queue of events that came back to the router's queue again and again.
    pub fn suspect_events(&self) -> String {
        format!("{}.suspects.events", self.prefix)
    }

    /// The exchange and the queue of deliveries that came back to a webhook's queue again and again.
    pub fn suspect_deliveries(&self) -> String {
        format!("{}.suspects.deliveries", self.prefix)
    }

    /// The exchange and the queue of events that no router survives. Nobody reads it.
    pub fn quarantine(&self) -> String {
        format!("{}.quarantine", self.prefix)
    }

    /// The exchange and the queue of batches, from routers to dispatchers.
    pub fn batches(&self) -> String {
        format!("{}.batches", self.prefix)
    }

    /// The direct exchange of deliveries; the routing key is the webhook's id.
    pub fn deliveries(&self) -> String {
        format!("{}.deliveries", self.prefix)
    }

    /// A webhook's queue.
    pub fn webhook(&self, id: WebhookId) -> String {
        format!("{}.webhook.{id}", self.prefix)
    }

    /// The exchange and the queue of retries after this delay.
    pub fn retry(&self, delay: Duration) -> String {
        format!("{}.retry.{}", self.prefix, delay.as_millis())
    }

    /// The exchange and the queue of deliveries whose webhook has no queue.
    pub fn orphans(&self) -> String {
        format!("{}.orphans", self.prefix)
    }

    /// The exchange and the queue of the journal.
    pub fn journal(&self) -> String {
        format!("{}.journal", self.prefix)
    }
}
