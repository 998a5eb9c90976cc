//! How much waits in the queues that all webhooks share.

use lapin::Channel;

use crate::{
    error::BrokerError,
    queue::Queue,
    session::Session,
    topology::{Topology, waiting},
};

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
    /// If the broker refuses or is gone, or one of them is missing.
    pub async fn backlog(&self) -> Result<Backlog, BrokerError> {
        let topology = &self.topology;
        self.on_declaring_channel(async |channel| look(&channel, topology).await).await
    }
}

async fn look(channel: &Channel, topology: &Topology) -> Result<Backlog, BrokerError> {
    let names = &topology.names;
    let mut retries = 0;
    for delay in &topology.retry_delays {
        retries += length(channel, names.retry(*delay)).await?;
    }
    let of = async |queue: Queue| length(channel, queue.name(names)).await;
    Ok(Backlog {
        events: of(Queue::Events).await?,
        batches: of(Queue::Batches).await?,
        retries,
        orphans: of(Queue::Orphans).await?,
        journal: of(Queue::Journal).await?,
        suspect_events: of(Queue::SuspectEvents).await?,
        suspect_deliveries: of(Queue::SuspectDeliveries).await?,
        quarantine: length(channel, names.quarantine()).await?,
    })
}

async fn length(channel: &Channel, queue: String) -> Result<u32, BrokerError> {
    let missing = || BrokerError::Missing { queue: queue.clone() };
    waiting(channel, queue.clone()).await?.ok_or_else(missing)
}
