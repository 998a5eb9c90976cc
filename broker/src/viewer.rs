//! Looks at queues without declaring anything.

use std::time::Duration;

use lapin::{Channel, Connection, ConnectionProperties};
use posthorn_domain::id::WebhookId;
use posthorn_timing::within;

use crate::{
    error::{ANSWER_TIMEOUT, BrokerError, answered},
    names::Names,
    topology,
};

const TASK: &str = "look at the queues";

/// A connection for those who only look.
pub struct Viewer {
    connection: Connection,
    names: Names,
}

impl Viewer {
    /// Connects once to the installation whose names begin with `prefix`.
    ///
    /// # Errors
    /// If the broker refuses or does not answer.
    pub async fn connect(url: &str, prefix: &str) -> Result<Self, BrokerError> {
        let properties = ConnectionProperties::default().with_connection_name("posthorn viewer".into());
        let connection = answered("connect to RabbitMQ", Connection::connect(url, properties)).await?;
        Ok(Self { connection, names: Names::new(prefix) })
    }

    /// How many deliveries wait in each webhook's queue; `None` where there is no queue.
    ///
    /// # Errors
    /// If the broker refuses or does not answer.
    pub async fn waiting(&self, ids: &[WebhookId]) -> Result<Vec<Option<u32>>, BrokerError> {
        let patience = ANSWER_TIMEOUT + Duration::from_millis(5) * ids.len() as u32;
        within(patience, self.look(ids), || BrokerError::NoAnswer { task: TASK }).await
    }

    async fn look(&self, ids: &[WebhookId]) -> Result<Vec<Option<u32>>, BrokerError> {
        let mut channel = self.channel().await?;
        let mut waiting = Vec::with_capacity(ids.len());
        for id in ids {
            let found = topology::waiting(&channel, self.names.webhook(*id)).await?;
            if found.is_none() {
                // The broker closes a channel that asks for what does not exist.
                channel = self.channel().await?;
            }
            waiting.push(found);
        }
        Ok(waiting)
    }

    async fn channel(&self) -> Result<Channel, BrokerError> {
        self.connection.create_channel().await.map_err(BrokerError::amqp(TASK))
    }
}
