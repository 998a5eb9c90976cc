//! What all webhooks share.

use std::time::Duration;

use lapin::{Channel, ExchangeKind, types::FieldTable};

use super::{
    arguments::{alternate, arguments, limited, retry},
    entities::{bind, exchange, pair, queue},
};
use crate::{
    config::{Config, QueueType, Role},
    error::BrokerError,
    message::BATCHES_KEY,
    names::Names,
};

/// What an installation declares.
#[derive(Debug, Clone)]
pub(crate) struct Topology {
    pub(crate) names: Names,
    pub(crate) retry_delays: Vec<Duration>,
    pub(super) queue_type: QueueType,
}

impl Topology {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            names: Names::new(&config.prefix),
            retry_delays: config.retry_delays.clone(),
            queue_type: config.queue_type,
        }
    }

    /// Declares everything but the webhooks' queues, or as much as the role may.
    pub(crate) async fn declare(&self, channel: &Channel, role: Role) -> Result<(), BrokerError> {
        let names = &self.names;
        pair(channel, &names.orphans(), arguments(QueueType::Quorum)).await?;
        exchange(channel, &names.deliveries(), ExchangeKind::Direct, alternate(&names.orphans())).await?;
        exchange(channel, &names.events(), ExchangeKind::Topic, FieldTable::default()).await?;
        match role {
            // It talks to the outside: it publishes events and deliveries, and has no right to the journal.
            Role::Api => Ok(()),
            Role::Router | Role::Suspects | Role::Dispatcher | Role::Recorder => self.inside(channel).await,
        }
    }

    /// Declares what only routers, dispatchers and recorders use.
    async fn inside(&self, channel: &Channel) -> Result<(), BrokerError> {
        let names = &self.names;
        for delay in &self.retry_delays {
            pair(channel, &names.retry(*delay), retry(*delay, &names.deliveries())).await?;
        }
        pair(channel, &names.quarantine(), arguments(QueueType::Quorum)).await?;
        pair(channel, &names.suspect_events(), limited(&names.quarantine())).await?;
        pair(channel, &names.suspect_deliveries(), arguments(QueueType::Quorum)).await?;
        pair(channel, &names.journal(), arguments(QueueType::Quorum)).await?;
        pair(channel, &names.batches(), arguments(QueueType::Quorum)).await?;
        bind(channel, &names.batches(), &names.deliveries(), BATCHES_KEY).await?;
        queue(channel, &names.router(), limited(&names.suspect_events())).await?;
        bind(channel, &names.router(), &names.events(), "#").await
    }
}
