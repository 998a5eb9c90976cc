//! How much waits in the queues that all webhooks share.

use lapin::{Channel, options::QueueDeclareOptions, types::FieldTable};

use crate::{broker::Config, error::BrokerError, session::Session};

/// Messages that wait, without those that somebody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Events to be routed.
    pub events: u32,
    /// Delivery batches on their way to a dispatcher.
    pub batches: u32,
    /// Retries whose delay runs.
    pub retries: u32,
    /// Deliveries whose webhook has no queue.
    pub orphans: u32,
    /// Journal batches to be recorded.
    pub journal: u32,
    /// Events that came back again and again, to be routed alone.
    pub suspect_events: u32,
    /// Deliveries that came back again and again, to be attempted alone.
    pub suspect_deliveries: u32,
    /// Events that no router survives.
    pub quarantine: u32,
}

impl Session {
    /// Looks at the queues.
    ///
    /// # Errors
    /// If the broker refuses or is gone.
    pub async fn backlog(&self) -> Result<Backlog, BrokerError> {
        let config = &self.config;
        self.on_declaring_channel(|channel| async move { look(&channel, config).await }).await
    }
}

async fn look(channel: &Channel, config: &Config) -> Result<Backlog, BrokerError> {
    let names = &config.names;
    let mut retries = 0;
    for delay in &config.retry_delays {
        retries += waiting(channel, names.retry(*delay)).await?;
    }
    Ok(Backlog {
        events: waiting(channel, names.router()).await?,
        batches: waiting(channel, names.batches()).await?,
        retries,
        orphans: waiting(channel, names.orphans()).await?,
        journal: waiting(channel, names.journal()).await?,
        suspect_events: waiting(channel, names.suspect_events()).await?,
        suspect_deliveries: waiting(channel, names.suspect_deliveries()).await?,
        quarantine: waiting(channel, names.quarantine()).await?,
    })
}

async fn waiting(channel: &Channel, queue: String) -> Result<u32, BrokerError> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    let looked = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
    looked.map(|queue| queue.message_count()).map_err(BrokerError::amqp("look at a queue"))
}
