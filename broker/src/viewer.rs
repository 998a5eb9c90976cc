//! Looks at queues without declaring anything.

use lapin::{Connection, ConnectionProperties};
use posthorn_domain::id::WebhookId;
use tokio::time::timeout;

use crate::{error::BrokerError, names::Names, session::ANSWER_TIMEOUT, topology};

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
        let task = "connect to RabbitMQ";
        let properties = ConnectionProperties::default().with_connection_name("posthorn viewer".into());
        let connected = timeout(ANSWER_TIMEOUT, Connection::connect(url, properties)).await;
        let connection =
            connected.map_err(|_| BrokerError::NoAnswer { task })?.map_err(BrokerError::amqp(task))?;
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
        timeout(patience, looking).await.unwrap_or(Err(BrokerError::NoAnswer { task }))
    }
}
