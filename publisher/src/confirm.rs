//! A channel in confirm mode with a single owner: the one safe way to pipeline publishes.
//!
//! In lapin 4.12, tasks that share a confirming channel can get each other's confirms, and a `basic.return`
//! is attached to the confirm that completes next. So a [`ConfirmChannel`] cannot be cloned, and
//! [`confirmed`](ConfirmChannel::confirmed) checks all confirms that have completed before it returns any:
//! after one nack or return nothing in flight counts as published. One case remains: lapin completes confirms
//! of one `multiple` acknowledgement in any order, so that the confirm of a returned message may be reported
//! just before the return appears on another. That needs a mandatory publish to a queue that is deleted at
//! that moment.

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};

/// A message to publish.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The exchange; empty for the default exchange, which routes to the queue named by the key.
    pub exchange: ShortString,
    /// The routing key.
    pub routing_key: ShortString,
    /// Properties and headers.
    pub properties: BasicProperties,
    /// The payload.
    pub body: Bytes,
    /// Whether a message that no queue takes is a failure.
    pub mandatory: bool,
}

/// Why nothing that was in flight on a channel may count as published.
#[derive(Debug, thiserror::Error)]
pub enum Unconfirmed {
    /// The channel or its connection failed.
    #[error("the channel failed")]
    Channel(#[from] lapin::Error),
    /// The broker refused a message.
    #[error("the broker refused a message (basic.nack)")]
    Refused,
    /// No queue took a mandatory message.
    #[error("no queue takes messages for exchange `{exchange}` and routing key `{routing_key}`")]
    Unroutable {
        /// Where it was published.
        exchange: String,
        /// With which key.
        routing_key: String,
    },
}

/// A confirming channel and what is in flight on it, each with the caller's token `T`.
pub struct ConfirmChannel<T> {
    channel: Channel,
    in_flight: FuturesUnordered<BoxFuture<'static, (T, lapin::Result<Confirmation>)>>,
}

impl<T: Send + 'static> ConfirmChannel<T> {
    /// Opens a channel and puts it in confirm mode.
    pub async fn open(connection: &Connection) -> lapin::Result<Self> {
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { channel, in_flight: FuturesUnordered::new() })
    }

    /// Publishes; the message goes out at the next poll of [`confirmed`](Self::confirmed), in order.
    pub fn publish(&self, publication: Publication, token: T) {
        let channel = self.channel.clone();
        self.in_flight.push(Box::pin(async move { (token, send(&channel, publication).await) }));
    }

    /// How many messages wait for their confirm.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Waits for at least one confirm and returns the tokens of all that are there.
    ///
    /// # Errors
    /// If any of them is not a clean acknowledgement. Nothing in flight counts as published then,
    /// those of this call included, and the channel must be dropped.
    pub async fn confirmed(&mut self) -> Result<Vec<T>, Unconfirmed> {
        let mut tokens = Vec::new();
        let mut next = self.in_flight.next().await;
        while let Some((token, confirmation)) = next {
            judge(confirmation?)?;
            tokens.push(token);
            next = self.in_flight.next().now_or_never().flatten();
        }
        Ok(tokens)
    }
}

async fn send(channel: &Channel, publication: Publication) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions { mandatory: publication.mandatory, immediate: false };
    channel
        .basic_publish(
            publication.exchange,
            publication.routing_key,
            options,
            &publication.body,
            publication.properties,
        )
        .await?
        .await
}

fn judge(confirmation: Confirmation) -> Result<(), Unconfirmed> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
            Err(Unconfirmed::Unroutable {
                exchange: returned.exchange.to_string(),
                routing_key: returned.routing_key.to_string(),
            })
        }
        Confirmation::Nack(None) | Confirmation::NotRequested => Err(Unconfirmed::Refused),
    }
}
