//! Exchanges and queues, declared idempotently. See ARCHITECTURE.md for what each is for.

use std::time::Duration;

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable},
};
use posthorn_domain::id::WebhookId;

use crate::{
    broker::{Config, QueueType, Role},
    error::{BrokerError, not_found, precondition_failed},
    message::BATCHES_KEY,
    names::Names,
};

/// How often a message may come back to a queue before the broker drops it. Given always, since
/// brokers from 4.0 drop at 20; so high that our own treatment of such messages comes first.
const DELIVERY_LIMIT: i64 = 1_000_000;
/// How often an event may come back before it is routed alone, and before nobody tries any more. All
/// that is in flight comes back with the one that is at fault, so a few times suffice; the broker counts,
/// since a message may end the session, or the process, before a router sees it.
const EVENT_RETURNS: i64 = 3;

/// Declares everything but the webhooks' queues, or as much as the role may.
pub(crate) async fn declare(channel: &Channel, config: &Config, role: Role) -> Result<(), BrokerError> {
    let names = &config.names;
    pair(channel, &names.orphans(), arguments(QueueType::Quorum)).await?;

    let mut alternate = FieldTable::default();
    put_text(&mut alternate, "alternate-exchange", &names.orphans());
    exchange(channel, &names.deliveries(), ExchangeKind::Direct, alternate).await?;
    exchange(channel, &names.events(), ExchangeKind::Topic, FieldTable::default()).await?;
    match role {
        // It talks to the outside: it publishes events and deliveries, and has no right to the journal.
        Role::Api => Ok(()),
        Role::Router | Role::Suspects | Role::Dispatcher | Role::Recorder => inside(channel, config).await,
    }
}

/// Declares what only routers, dispatchers and recorders use.
async fn inside(channel: &Channel, config: &Config) -> Result<(), BrokerError> {
    let names = &config.names;
    for delay in &config.retry_delays {
        pair(channel, &names.retry(*delay), retry_arguments(names, *delay)).await?;
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

/// What is declared of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declare {
    /// Its queue and the binding that brings deliveries: what routers need.
    Bound,
    /// Its queue alone, which is several times faster: what dispatchers need.
    Queue,
}

/// Declares a webhook's queue and, where wanted, binds it.
pub(crate) async fn declare_webhook(
    channel: &Channel,
    config: &Config,
    id: WebhookId,
    declare: Declare,
) -> Result<(), BrokerError> {
    let name = config.names.webhook(id);
    queue(channel, &name, arguments(config.queue_type)).await?;
    match declare {
        Declare::Queue => Ok(()),
        Declare::Bound => bind(channel, &name, &config.names.deliveries(), &id.to_string()).await,
    }
}

/// Unbinds a webhook's queue: nothing new comes into it.
pub(crate) async fn unbind_webhook(
    channel: &Channel,
    names: &Names,
    id: WebhookId,
) -> Result<(), BrokerError> {
    let (queue, exchange, key) = (names.webhook(id), names.deliveries(), id.to_string());
    let done = channel.queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default());
    done.await.map_err(BrokerError::amqp("unbind a webhook's queue"))
}

/// Deletes a webhook's queue with all that it holds.
pub(crate) async fn delete_webhook(
    channel: &Channel,
    names: &Names,
    id: WebhookId,
) -> Result<(), BrokerError> {
    let deleted = channel.queue_delete(names.webhook(id).into(), QueueDeleteOptions::default()).await;
    match deleted {
        Ok(_) => Ok(()),
        Err(error) if not_found(&error).is_some() => Ok(()),
        Err(source) => Err(BrokerError::Amqp { task: "delete a webhook's queue", source }),
    }
}

/// How many messages wait in a webhook's queue; `None` if there is no such queue.
pub(crate) async fn waiting(
    channel: &Channel,
    names: &Names,
    id: WebhookId,
) -> Result<Option<u32>, BrokerError> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    match channel.queue_declare(names.webhook(id).into(), options, FieldTable::default()).await {
        Ok(queue) => Ok(Some(queue.message_count())),
        Err(error) if not_found(&error).is_some() => Ok(None),
        Err(source) => Err(BrokerError::Amqp { task: "look at a webhook's queue", source }),
    }
}

fn arguments(kind: QueueType) -> FieldTable {
    let mut table = FieldTable::default();
    put_text(&mut table, "x-queue-type", kind.name());
    if kind == QueueType::Quorum {
        table.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERY_LIMIT));
    }
    table
}

/// No dead-letter routing key: the message keeps its own, the webhook's id.
fn retry_arguments(names: &Names, delay: Duration) -> FieldTable {
    let mut table = arguments(QueueType::Quorum);
    let millis = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    table.insert("x-message-ttl".into(), AMQPValue::LongLongInt(millis));
    dead_letter(&mut table, &names.deliveries());
    table
}

/// What comes back too often goes on to this exchange.
fn limited(exchange: &str) -> FieldTable {
    let mut table = arguments(QueueType::Quorum);
    table.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(EVENT_RETURNS));
    dead_letter(&mut table, exchange);
    table
}

/// At least once: the broker forgets what is dead only after its next queue has it. Such a queue must
/// refuse what it has no room for, and has no limit of its length.
fn dead_letter(table: &mut FieldTable, exchange: &str) {
    put_text(table, "x-dead-letter-exchange", exchange);
    put_text(table, "x-dead-letter-strategy", "at-least-once");
    put_text(table, "x-overflow", "reject-publish");
}

fn put_text(table: &mut FieldTable, name: &str, value: &str) {
    table.insert(name.into(), AMQPValue::LongString(value.into()));
}

/// A fanout exchange and its queue, of one name.
async fn pair(channel: &Channel, name: &str, arguments: FieldTable) -> Result<(), BrokerError> {
    exchange(channel, name, ExchangeKind::Fanout, FieldTable::default()).await?;
    queue(channel, name, arguments).await?;
    bind(channel, name, name, "").await
}

async fn exchange(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
    arguments: FieldTable,
) -> Result<(), BrokerError> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared = channel.exchange_declare(name.into(), kind, options, arguments).await;
    declared.map_err(|error| differs(error, "exchange", name, "declare an exchange"))
}

async fn queue(channel: &Channel, name: &str, arguments: FieldTable) -> Result<(), BrokerError> {
    let declared = channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments).await;
    declared.map(|_| ()).map_err(|error| differs(error, "queue", name, "declare a queue"))
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> Result<(), BrokerError> {
    let options = QueueBindOptions::default();
    let bound = channel.queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default());
    bound.await.map_err(BrokerError::amqp("bind a queue"))
}

fn differs(error: lapin::Error, kind: &str, name: &str, task: &'static str) -> BrokerError {
    match precondition_failed(&error) {
        Some(broker_says) => BrokerError::Differs { what: format!("{kind} `{name}`"), broker_says },
        None => BrokerError::Amqp { task, source: error },
    }
}
