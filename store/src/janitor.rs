//! What must be done once in a while, by one process at a time.

use std::time::Duration;

use deadpool_postgres::Object;
use jiff::Timestamp;
use posthorn_domain::id::WebhookId;

use crate::{connect::Store, error::StoreError};

const JANITOR_LOCK: i64 = 0x7057_4852_0003;

/// The right to tidy up: held by one process at a time, given back when it is dropped.
pub struct Janitor<'a> {
    store: &'a Store,
    client: Object,
}

/// What was tidied up.
#[derive(Debug, Default)]
pub struct Maintained {
    /// The partitions that were dropped.
    pub dropped_partitions: Vec<String>,
}

impl Store {
    /// Becomes the janitor, unless another process is.
    ///
    /// # Errors
    /// If the database is gone.
    pub async fn janitor(&self) -> Result<Option<Janitor<'_>>, StoreError> {
        let client = self.client().await?;
        let row = client.query_one("SELECT pg_try_advisory_lock($1)", &[&JANITOR_LOCK]).await;
        let locked = row.map_err(StoreError::query("become the janitor"))?.get(0);
        Ok(if locked { Some(Janitor { store: self, client }) } else { None })
    }
}

impl Janitor<'_> {
    /// Makes the partitions of the next days and drops those that ended before the retention began.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn maintain_partitions(
        &self,
        now: Timestamp,
        retention: Duration,
    ) -> Result<Maintained, StoreError> {
        let oldest = now.saturating_sub(retention).unwrap_or(Timestamp::MIN);
        let days = |time| jiff::tz::TimeZone::UTC.to_datetime(time).date();
        let dropped_partitions = self.store.maintain_partitions(days(now), days(oldest)).await?;
        Ok(Maintained { dropped_partitions })
    }

    /// Forgets the secrets whose overlap is over.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn forget_expired_secrets(&self) -> Result<u64, StoreError> {
        let deleted = self.client.execute("DELETE FROM webhook_secrets WHERE expires_at < now()", &[]).await;
        deleted.map_err(StoreError::query("forget expired secrets"))
    }

    /// The webhooks that were deleted longer than `grace` ago and whose queues may go.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn deleted_webhooks(&self, grace: Duration) -> Result<Vec<WebhookId>, StoreError> {
        let query = "SELECT id FROM webhooks
                     WHERE state = 'deleted' AND deleted_at < now() - $1 * interval '1 second'
                     ORDER BY deleted_at LIMIT 100";
        let rows = self.client.query(query, &[&grace.as_secs_f64()]).await;
        let rows = rows.map_err(StoreError::query("look for deleted webhooks"))?;
        Ok(rows.iter().map(|row| WebhookId(row.get(0))).collect())
    }

    /// Forgets a deleted webhook whose queue is gone.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn forget_webhook(&self, id: WebhookId) -> Result<(), StoreError> {
        let task = StoreError::query("forget a deleted webhook");
        let delete = "WITH gone AS (DELETE FROM webhooks WHERE id = $1 AND state = 'deleted' RETURNING id)
                      DELETE FROM webhook_health USING gone WHERE webhook_id = gone.id";
        self.client.execute(delete, &[&id.0]).await.map(|_| ()).map_err(task)
    }

    /// Gives the right back. A connection that is dropped instead gives it back when it closes.
    pub async fn done(self) {
        if self.client.execute("SELECT pg_advisory_unlock($1)", &[&JANITOR_LOCK]).await.is_err() {
            // The connection is broken, and with it the lock is gone.
            let _ = Object::take(self.client);
        }
    }
}
