//! Messages that are no events.

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_domain::{event::Field, rejected::Resolution};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    columns::{optional_word, word},
    error::StoreError,
    store::History,
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

impl History {
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
        let client = self.pool.client().await?;
        let rows = client.query(&query, &[&before, &is_open, &limit]).await;
        rows.map_err(StoreError::query("list rejected events"))?.iter().map(read).collect()
    }

    /// One message that is no event, and its bytes as far as they were kept.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn rejected_event(&self, id: Uuid) -> Result<Option<(RejectedRecord, Bytes)>, StoreError> {
        let query = format!("SELECT {COLUMNS}, message FROM rejected_events WHERE id = $1");
        let client = self.pool.client().await?;
        let row = client.query_opt(&query, &[&id]).await;
        let row = row.map_err(StoreError::query("look the rejected event up"))?;
        row.map(|row| Ok((read(&row)?, row.get::<_, Vec<u8>>("message").into()))).transpose()
    }
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
