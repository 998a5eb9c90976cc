//! A look into the broker, and a hand in it: what a publisher or an operator could do.

use std::future::Future;

use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind,
    options::{
        BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
        ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{FieldTable, ShortString},
};
use posthorn_broker::Raw;
use tokio::sync::Mutex;

/// A connection to the broker that is made when needed.
pub struct Broker {
    /// Where the broker is.
    pub url: String,
    connection: Mutex<Option<Connection>>,
}

/// What the broker says of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Messages ready for delivery.
    pub ready: u32,
    /// Consumers subscribed to it.
    pub consumers: u32,
}

impl Broker {
    /// Connects to nothing yet.
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), connection: Mutex::new(None) }
    }

    /// The queue, if it exists.
    pub async fn queue(&self, name: &str) -> Option<Queue> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared = self.channel().await.queue_declare(name.into(), options, FieldTable::default()).await;
        let queue = found(declared)?;
        Some(Queue { ready: queue.message_count(), consumers: queue.consumer_count() })
    }

    /// Whether the exchange exists.
    pub async fn has_exchange(&self, name: &str) -> bool {
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let (kind, none) = (lapin::ExchangeKind::Topic, FieldTable::default());
        found(self.channel().await.exchange_declare(name.into(), kind, options, none).await).is_some()
    }

    /// Declares a durable queue with these arguments.
    pub async fn declare_queue(&self, name: &str, arguments: FieldTable) {
        let channel = self.channel().await;
        let declared = channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments).await;
        declared.expect("the queue can be declared");
    }

    /// Binds a queue to an exchange.
    pub async fn bind(&self, queue: &str, exchange: &str, key: &str) {
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        let bound =
            self.channel().await.queue_bind(queue.into(), exchange.into(), key.into(), options, none).await;
        bound.expect("the queue can be bound");
    }

    /// Deletes a queue with all that it holds; not existing is fine.
    pub async fn delete_queue(&self, name: &str) {
        let deleted = self.channel().await.queue_delete(name.into(), QueueDeleteOptions::default()).await;
        found(deleted);
    }

    /// Deletes an exchange; not existing is fine.
    pub async fn delete_exchange(&self, name: &str) {
        let deleted =
            self.channel().await.exchange_delete(name.into(), ExchangeDeleteOptions::default()).await;
        found(deleted);
    }

    /// Publishes bytes that need not be an event, and waits for the confirm.
    pub async fn publish(&self, exchange: &str, key: &str, properties: BasicProperties, body: &[u8]) {
        let channel = self.channel().await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms can be had");
        let properties = properties.with_delivery_mode(2);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let sent = channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
        let confirmation = sent.expect("the message can be sent").await.expect("the broker answers");
        assert_eq!(confirmation, Confirmation::Ack(None), "publish to {exchange}");
    }

    /// Publishes bytes with properties and a routing key that need not be text, and waits for the confirm.
    pub async fn publish_raw(&self, exchange: &str, key: &[u8], properties: &RawProperties, body: &[u8]) {
        let mut raw = Raw::connect(&self.url).await.expect("the broker runs");
        let properties = properties.encode();
        raw.publish(exchange, key, &properties, body).await.expect("the broker takes what it passes on");
        raw.close().await.expect("the broker runs");
    }

    /// Takes all messages that are ready in a queue and returns their bytes.
    pub async fn take_all(&self, queue: &str) -> Vec<Vec<u8>> {
        let channel = self.channel().await;
        let mut taken = Vec::new();
        let options = BasicGetOptions { no_ack: true };
        while let Some(message) = channel.basic_get(queue.into(), options).await.expect("the queue answers") {
            taken.push(message.delivery.data);
        }
        taken
    }

    async fn channel(&self) -> Channel {
        let mut connection = self.connection.lock().await;
        if connection.as_ref().is_none_or(|open| !open.status().connected()) {
            let opened = Connection::connect(&self.url, ConnectionProperties::default());
            *connection = Some(patiently(opened).await.expect("the broker runs"));
        }
        let open = connection.as_ref().expect("it was opened above");
        patiently(open.create_channel()).await.expect("the broker gives a channel")
    }
}

/// Properties that need not be text. The message is persistent.
#[derive(Debug, Clone, Default)]
pub struct RawProperties {
    /// Headers, each as it is written in a table: a short string, the value's type, the value.
    pub headers: Vec<u8>,
    /// The correlation id.
    pub correlation_id: &'static [u8],
    /// Where to reply to.
    pub reply_to: &'static [u8],
    /// The message id.
    pub message_id: &'static [u8],
}

impl RawProperties {
    fn encode(&self) -> Vec<u8> {
        const HEADERS: u16 = 1 << 13;
        const DELIVERY_MODE: u16 = 1 << 12;
        let mut flags = DELIVERY_MODE;
        let mut list = Vec::new();
        if !self.headers.is_empty() {
            flags |= HEADERS;
            list.extend((self.headers.len() as u32).to_be_bytes());
            list.extend(&self.headers);
        }
        list.push(2);
        for (bit, text) in [(10, self.correlation_id), (9, self.reply_to), (7, self.message_id)] {
            if !text.is_empty() {
                flags |= 1 << bit;
                list.push(text.len() as u8);
                list.extend(text);
            }
        }
        [flags.to_be_bytes().to_vec(), list].concat()
    }
}

/// Properties with this message id.
pub fn identified(message_id: &str) -> BasicProperties {
    BasicProperties::default().with_message_id(ShortString::from(message_id))
}

async fn patiently<T>(answer: impl Future<Output = lapin::Result<T>>) -> lapin::Result<T> {
    tokio::time::timeout(crate::PATIENCE, answer).await.expect("the broker answers in time")
}

fn found<T>(answer: lapin::Result<T>) -> Option<T> {
    match answer {
        Ok(found) => Some(found),
        Err(error) if is_not_found(&error) => None,
        Err(error) => panic!("the broker refuses: {error}"),
    }
}

fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(refusal) if refusal.get_id() == 404)
}
