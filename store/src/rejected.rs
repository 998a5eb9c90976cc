//! Messages that are no events.

use bytes::Bytes;
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use posthorn_domain::{event::Field, rejected::Resolution};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use crate::{
    actor::Actor,
    audit,
    columns::{optional_word, word},
    connect::Store,
    error::StoreError,
    outbox::{Destination, Outgoing},
};

/// A message that is no event.
#[derive(Debug, Clone)]
pub struct RejectedRecord {
    /// Its id.
    pub id: Uuid,
    /// When it was refused.
    pub rejected_at: Timestamp,
    /// The field at fault.
    pub field: Field,
    /// What is wrong with it.
    pub reason: String,
    /// The AMQP routing key it came with.
    pub routing_key: String,
    /// The AMQP message id it came with.
    pub message_id: String,
    /// Its size in bytes.
    pub size: i64,
    /// What somebody has made of it; `None` if nobody has looked after it.
    pub resolution: Option<Resolution>,
    /// When that was.
    pub resolved_at: Option<Timestamp>,
}

const COLUMNS: &str =
    "id, rejected_at, field, reason, routing_key, message_id, size, resolution, resolved_at";

impl Store {
    /// Messages that are no events, the latest first, before one of them; only those that nobody has
    /// looked after, or only those that somebody has, if that is asked for.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn rejected_events(
        &self,
        before: Option<Uuid>,
        is_open: Option<bool>,
        limit: i64,
    ) -> Result<Vec<RejectedRecord>, StoreError> {
        let query = format!(
            "SELECT {COLUMNS} FROM rejected_events
             WHERE ($1::uuid IS NULL OR id < $1) AND ($2::bool IS NULL OR (resolution IS NULL) = $2)
             ORDER BY id DESC LIMIT $3"
        );
        let client = self.client().await?;
        let rows = client.query(&query, &[&before, &is_open, &limit]).await;
        rows.map_err(StoreError::query("list rejected events"))?.iter().map(read).collect()
    }

    /// One message that is no event, and its bytes as far as they were kept.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn rejected_event(&self, id: Uuid) -> Result<Option<(RejectedRecord, Bytes)>, StoreError> {
        let query = format!("SELECT {COLUMNS}, message FROM rejected_events WHERE id = $1");
        let client = self.client().await?;
        let row = client.query_opt(&query, &[&id]).await;
        let row = row.map_err(StoreError::query("look the rejected event up"))?;
        row.map(|row| Ok((read(&row)?, row.get::<_, Vec<u8>>("message").into()))).transpose()
    }

    /// Discards a message. One that was resolved before stays as it is; answers whether it was not.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn discard_rejected_event(&self, id: Uuid, actor: &Actor) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let discarded = async {
            let transaction = client.transaction().await?;
            let is_open = resolve(&transaction, id, Resolution::Discarded, actor).await?;
            transaction.commit().await?;
            Ok(is_open)
        };
        discarded.await.map_err(StoreError::query("discard the rejected event"))
    }

    /// Promises that a message is published as this event: what is answered is to be sent. `None` if it was
    /// resolved before.
    ///
    /// # Errors
    /// If the database refuses or is gone; then nothing is promised.
    pub async fn publish_rejected_event(
        &self,
        id: Uuid,
        event: Bytes,
        actor: &Actor,
    ) -> Result<Option<Outgoing>, StoreError> {
        let outgoing = Outgoing::new(Destination::Router, event);
        let mut client = self.client().await?;
        let promised = async {
            let transaction = client.transaction().await?;
            if !resolve(&transaction, id, Resolution::Published, actor).await? {
                return Ok(None);
            }
            outgoing.add(&transaction).await?;
            transaction.commit().await?;
            Ok(Some(outgoing))
        };
        promised.await.map_err(StoreError::query("publish the rejected event"))
    }
}

/// Notes what somebody makes of a message, unless it was resolved before; answers whether it was not.
async fn resolve(
    transaction: &Transaction<'_>,
    id: Uuid,
    resolution: Resolution,
    actor: &Actor,
) -> Result<bool, Error> {
    let update = "UPDATE rejected_events SET resolution = $2, resolved_at = now()
                  WHERE id = $1 AND resolution IS NULL";
    let is_open = transaction.execute(update, &[&id, &resolution.label()]).await? == 1;
    if is_open {
        let subject = format!("rej_{}", id.simple());
        audit::note(transaction, actor, "rejected_event", &subject, None).await?;
    }
    Ok(is_open)
}

fn read(row: &Row) -> Result<RejectedRecord, StoreError> {
    let id: Uuid = row.get("id");
    let unreadable = || StoreError::unreadable(format!("rejected message rej_{}", id.simple()));
    Ok(RejectedRecord {
        id,
        rejected_at: row.get("rejected_at"),
        field: word(row, "field").map_err(unreadable())?,
        reason: row.get("reason"),
        routing_key: row.get("routing_key"),
        message_id: row.get("message_id"),
        size: row.get("size"),
        resolution: optional_word(row, "resolution").map_err(unreadable())?,
        resolved_at: row.get("resolved_at"),
    })
}
