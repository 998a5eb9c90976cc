//! What a dispatcher publishes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use posthorn_broker::{BrokerError, DeliveryHeaders, DeliveryMessage, Message, Outgoing, Publisher, Session};
use posthorn_domain::{
    delivery_batch::{self, BatchedEvent},
    id::{EventRef, WebhookId},
};
use posthorn_timing::Clock;

use crate::prepared_event::PreparedEvent;

/// Publishes on one session; each returns once the broker has the message safely.
pub(crate) struct Outbox {
    publisher: Publisher,
    clock: Clock,
}

impl Outbox {
    pub(crate) async fn open(session: &Arc<Session>, clock: Clock) -> Result<Self, BrokerError> {
        Ok(Self { publisher: session.publisher().await?, clock })
    }

    /// Puts a delivery into its webhook's queue.
    pub(crate) async fn queue(
        &self,
        id: WebhookId,
        prepared: &PreparedEvent,
        headers: &DeliveryHeaders,
    ) -> Result<(), BrokerError> {
        self.publisher.send(Outgoing::Delivery(prepared.to(id, headers.clone()))).await
    }

    /// Lets a delivery come back after a delay: to its webhook's queue, or, as the canary, ahead of what waits
    /// there in a batch of its own.
    pub(crate) async fn retry(
        &self,
        delay: Duration,
        id: WebhookId,
        prepared: &PreparedEvent,
        headers: &DeliveryHeaders,
    ) -> Result<(), BrokerError> {
        let headers = headers.clone();
        let again = match headers.is_canary {
            false => Outgoing::Retry { delay, delivery: prepared.to(id, headers) },
            true => {
                let batch = self.canary(id, prepared.message.clone(), &headers);
                Outgoing::DelayedBatch { delay, batch, headers }
            }
        };
        self.publisher.send(again).await
    }

    /// Moves a message to where it is attempted alone.
    pub(crate) async fn suspect(
        &self,
        webhook_id: WebhookId,
        event: EventRef,
        message: Message,
    ) -> Result<(), BrokerError> {
        let Message { body, headers, .. } = message;
        let suspect = DeliveryMessage { webhook_id, event, message: body, headers };
        self.publisher.send(Outgoing::Suspect(suspect)).await
    }

    fn canary(&self, id: WebhookId, message: Bytes, headers: &DeliveryHeaders) -> Bytes {
        delivery_batch::encode(vec![BatchedEvent {
            message,
            received_at: headers.received_at.unwrap_or_else(|| self.clock.now()),
            published_at: headers.published_at,
            trace: headers.trace.clone(),
            webhook_ids: vec![id],
        }])
    }
}
