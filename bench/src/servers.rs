//! The servers that systems run on, and what is asked of them.

use anyhow::Context;
use futures_util::future::try_join_all;
use lapin::{Channel, Connection, ConnectionProperties, options::QueueDeclareOptions, types::FieldTable};

use crate::usage::Watched;

/// The servers to run on.
#[derive(Debug, Clone)]
pub(crate) struct Servers {
    pub(crate) amqp_url: String,
    pub(crate) database_url: String,
    /// The `posthorn` binary.
    pub(crate) binary: std::path::PathBuf,
    /// The servers' processes, where they are known.
    pub(crate) watched: Vec<Watched>,
}

pub(crate) async fn connect(amqp_url: &str, name: &str) -> anyhow::Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    Connection::connect(amqp_url, properties).await.context("cannot connect to RabbitMQ")
}

/// How many messages wait in these queues.
pub(crate) async fn waiting(channel: &Channel, queues: &[String]) -> anyhow::Result<usize> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    let mut sum = 0;
    for chunk in queues.chunks(100) {
        let asked = chunk
            .iter()
            .map(|queue| channel.queue_declare(queue.as_str().into(), options, FieldTable::default()));
        let found = try_join_all(asked).await?;
        sum += found.iter().map(|queue| queue.message_count() as usize).sum::<usize>();
    }
    Ok(sum)
}

/// Deletes queues, many at a time.
pub(crate) async fn delete_queues(channel: &Channel, queues: Vec<String>) -> anyhow::Result<()> {
    for chunk in queues.chunks(100) {
        let deleting =
            chunk.iter().map(|queue| channel.queue_delete(queue.as_str().into(), Default::default()));
        try_join_all(deleting).await?;
    }
    Ok(())
}
