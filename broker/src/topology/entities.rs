//! Declaring and looking at single queues and exchanges.

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};

use crate::error::{BrokerError, not_found, precondition_failed};

/// A fanout exchange and its queue, of one name.
pub(super) async fn pair(channel: &Channel, name: &str, arguments: FieldTable) -> Result<(), BrokerError> {
    exchange(channel, name, ExchangeKind::Fanout, FieldTable::default()).await?;
    queue(channel, name, arguments).await?;
    bind(channel, name, name, "").await
}

pub(super) async fn exchange(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
    arguments: FieldTable,
) -> Result<(), BrokerError> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared = channel.exchange_declare(name.into(), kind, options, arguments).await;
    declared.map_err(|error| differs(error, "exchange", name, "declare an exchange"))
}

pub(super) async fn queue(channel: &Channel, name: &str, arguments: FieldTable) -> Result<(), BrokerError> {
    let declared = channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments).await;
    declared.map(|_| ()).map_err(|error| differs(error, "queue", name, "declare a queue"))
}

pub(super) async fn bind(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    key: &str,
) -> Result<(), BrokerError> {
    let options = QueueBindOptions::default();
    let bound = channel.queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default());
    bound.await.map_err(BrokerError::amqp("bind a queue"))
}

/// How many messages wait in a queue; `None` if there is no such queue: the broker has closed the channel
/// then.
pub(crate) async fn waiting(channel: &Channel, queue: String) -> Result<Option<u32>, BrokerError> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    match channel.queue_declare(queue.into(), options, FieldTable::default()).await {
        Ok(queue) => Ok(Some(queue.message_count())),
        Err(error) if not_found(&error).is_some() => Ok(None),
        Err(error) => Err(BrokerError::amqp("look at a queue")(error)),
    }
}

fn differs(error: lapin::Error, kind: &str, name: &str, task: &'static str) -> BrokerError {
    match precondition_failed(&error) {
        Some(broker_says) => BrokerError::Differs { what: format!("{kind} `{name}`"), broker_says },
        None => BrokerError::amqp(task)(error),
    }
}
