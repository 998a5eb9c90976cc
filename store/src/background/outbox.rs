//! The outbox: messages for RabbitMQ that a transaction has promised, together with its audit entry.
//!
//! Who adds a message sends it at once and removes it when it is confirmed. Until then it is claimed for
//! [`CLAIM`]; after that any process may claim it and send it, perhaps a second time: at least once.

use std::time::Duration;

use bytes::Bytes;
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use posthorn_domain::id::{EventRef, WebhookId};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use crate::{access::audit, actor::Actor, error::StoreError, store::Background};

/// How long one process has for a message before another may send it. Longer than a confirm may take.
const CLAIM: Duration = Duration::from_secs(30);

/// A message that is to be sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Its id: a fresh UUIDv7.
    pub id: Uuid,
    /// Where it goes.
    pub to: Destination,
    /// The bytes of the event.
    pub message: Bytes,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// To a router, as an event that was published.
    Router,
    /// Into a webhook's queue, as a delivery.
    Webhook {
        /// The webhook.
        id: WebhookId,
        /// The event.
        event: EventRef,
        /// When the event came.
        received_at: Timestamp,
    },
}

impl Outgoing {
    /// A message with a fresh id.
    pub(crate) fn new(to: Destination, message: Bytes) -> Self {
        Self { id: Uuid::now_v7(), to, message }
    }

    /// Adds it to the outbox, claimed by who adds it.
    pub(crate) async fn add(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let insert = "INSERT INTO outbox (id, webhook_id, event_ref, received_at, message, due_at)
                      VALUES ($1, $2, $3, $4, $5, now() + $6 * interval '1 second')";
        let (webhook, event, received_at) = match self.to {
            Destination::Router => (None, None, None),
            Destination::Webhook { id, event, received_at } => (Some(id.0), Some(event.0), Some(received_at)),
        };
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&self.id, &webhook, &event, &received_at, &&*self.message, &CLAIM.as_secs_f64()];
        transaction.execute(insert, &params).await.map(|_| ())
    }
}

impl Background {
    /// Promises a delivery once more: what is answered is to be sent to the webhook's queue.
    ///
    /// # Errors
    /// If the database refuses or is gone; then nothing is promised.
    pub async fn add_redelivery(
        &self,
        webhook: WebhookId,
        event: EventRef,
        message: Bytes,
        received_at: Timestamp,
        actor: &Actor,
    ) -> Result<Outgoing, StoreError> {
        let outgoing = Outgoing::new(Destination::Webhook { id: webhook, event, received_at }, message);
        let mut client = self.pool.client().await?;
        let added = async {
            let transaction = client.transaction().await?;
            outgoing.add(&transaction).await?;
            let subject = format!("{event}/{webhook}");
            audit::note(&transaction, actor, "delivery", &subject, None).await?;
            transaction.commit().await
        };
        added.await.map_err(StoreError::query("note the redelivery"))?;
        Ok(outgoing)
    }

    /// Claims messages whose senders have had their time, the oldest first.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn claim_outgoing(&self, limit: i64) -> Result<Vec<Outgoing>, StoreError> {
        let claim = "UPDATE outbox SET due_at = now() + $1 * interval '1 second'
                     WHERE id IN (SELECT id FROM outbox WHERE due_at <= now()
                                  ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
                     RETURNING id, webhook_id, event_ref, received_at, message";
        let client = self.pool.client().await?;
        let rows = client.query(claim, &[&CLAIM.as_secs_f64(), &limit]).await;
        Ok(rows.map_err(StoreError::query("look into the outbox"))?.iter().map(read).collect())
    }

    /// Removes a message that was confirmed.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn remove_outgoing(&self, id: Uuid) -> Result<(), StoreError> {
        let client = self.pool.client().await?;
        let removed = client.execute("DELETE FROM outbox WHERE id = $1", &[&id]).await;
        removed.map(|_| ()).map_err(StoreError::query("clear the outbox"))
    }
}

fn read(row: &Row) -> Outgoing {
    let webhook: Option<Uuid> = row.get("webhook_id");
    let to = webhook.map_or(Destination::Router, |id| Destination::Webhook {
        id: WebhookId(id),
        event: EventRef(row.get("event_ref")),
        received_at: row.get("received_at"),
    });
    Outgoing { id: row.get("id"), to, message: row.get::<_, Vec<u8>>("message").into() }
}
