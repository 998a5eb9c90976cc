//! Looks at queues without declaring anything.

use lapin::{Connection, ConnectionProperties};
use posthorn_domain::id::WebhookId;
use posthorn_timing::within;

use crate::{
    error::{ANSWER_TIMEOUT, BrokerError, answered},
    names::Names,
    topology,
};

/// A connection for commands that only look.
pub struct Viewer {
    connection: Connection,
    names: Names,
}

impl Viewer {
    /// Connects once.
    ///
    /// # Errors
    /// If the broker refuses or does not answer.
    pub async fn connect(url: &str, names: Names) -> Result<Self, BrokerError> {
        let properties = ConnectionProperties::default().with_connection_name("posthorn viewer".into());
        let connection = answered("connect to RabbitMQ", Connection::connect(url, properties)).await?;
        Ok(Self { connection, names })
    }

    /// How many deliveries wait in each webhook's queue; `None` where there is no queue.
    ///
    /// # Errors
    /// If the broker refuses or does not answer.
    pub async fn waiting(&self, ids: &[WebhookId]) -> Result<Vec<Option<u32>>, BrokerError> {
        let task = "look at the queues";
        let looking = async {
            let mut channel = self.connection.create_channel().await.map_err(BrokerError::amqp(task))?;
            let mut waiting = Vec::with_capacity(ids.len());
            for id in ids {
                let found = topology::waiting(&channel, &self.names, *id).await?;
                if found.is_none() {
                    // The broker closes a channel that asks for what does not exist.
                    channel = self.connection.create_channel().await.map_err(BrokerError::amqp(task))?;
                }
                waiting.push(found);
            }
            Ok(waiting)
        };
        let patience = ANSWER_TIMEOUT + std::time::Duration::from_millis(5) * ids.len() as u32;
        within(patience, looking, || BrokerError::NoAnswer { task }).await
    }
}
