//! What must be done once in a while, by one process at a time.

use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object};
use jiff::Timestamp;
use posthorn_domain::id::WebhookId;

use super::partitions::Partitions;
use crate::{days::day_of, error::StoreError, store::Housekeeping};

const JANITOR_LOCK: i64 = 0x7057_4852_0003;

/// Forgets the bytes of the oldest rejected messages, a thousand at most, until so many bytes are.
const FORGET_BYTES: &str = "
    WITH oldest AS (
        SELECT id, rejected_on, octet_length(message) AS bytes FROM rejected_events
        WHERE octet_length(message) > 0 ORDER BY id LIMIT 1000),
    chosen AS (
        SELECT id, rejected_on, bytes FROM (
            SELECT *, sum(bytes) OVER (ORDER BY id) - bytes AS before FROM oldest) AS running
        WHERE before < $1),
    emptied AS (
        UPDATE rejected_events AS row SET message = '' FROM chosen
        WHERE row.id = chosen.id AND row.rejected_on = chosen.rejected_on),
    counted AS (
        UPDATE rejected_bytes AS total SET bytes = total.bytes - less.bytes
        FROM (SELECT rejected_on, sum(bytes) AS bytes FROM chosen GROUP BY 1) AS less
        WHERE total.day = less.rejected_on)
    SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM chosen";

/// The right to tidy up: held by one process at a time. The lock is that of a connection, which is
/// closed when this is dropped.
pub struct Janitor<'a> {
    partitions: &'a Partitions,
    pub(crate) client: ClientWrapper,
}

impl Housekeeping {
    /// Becomes the janitor, unless another process is.
    ///
    /// # Errors
    /// If the database is gone.
    pub async fn janitor(&self) -> Result<Option<Janitor<'_>>, StoreError> {
        let client = self.pool.client().await?;
        let row = client.query_one("SELECT pg_try_advisory_lock($1)", &[&JANITOR_LOCK]).await;
        let locked = row.map_err(StoreError::query("become the janitor"))?.get(0);
        // Taken out of the pool: back in it, the connection would hold the lock for ever.
        Ok(if locked {
            Some(Janitor { partitions: &self.partitions, client: Object::take(client) })
        } else {
            None
        })
    }
}

impl Janitor<'_> {
    /// Makes the partitions of the next days and drops those that ended before the retention began.
    /// Returns the names of the dropped.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn maintain_partitions(
        &self,
        now: Timestamp,
        retention: Duration,
    ) -> Result<Vec<String>, StoreError> {
        let oldest = now.saturating_sub(retention).unwrap_or(Timestamp::MIN);
        self.partitions.maintain(day_of(now), day_of(oldest)).await
    }

    /// Folds minutes older than `minutes` into hours, and forgets hours older than `hours`. Returns the
    /// names of the partitions of minutes that are gone.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn maintain_statistics(
        &self,
        now: Timestamp,
        minutes: Duration,
        hours: Duration,
    ) -> Result<Vec<String>, StoreError> {
        let oldest = now.saturating_sub(minutes).unwrap_or(Timestamp::MIN);
        let folded = self.partitions.fold_minutes(day_of(oldest)).await?;
        let oldest = now.saturating_sub(hours).unwrap_or(Timestamp::MIN);
        let deleted = self.client.execute("DELETE FROM statistics_hours WHERE hour < $1", &[&oldest]).await;
        deleted.map_err(StoreError::query("forget old statistics"))?;
        Ok(folded)
    }

    /// Makes room for rejected messages: once three quarters of `most_bytes` are kept, the oldest are
    /// forgotten until half is. Their rows stay. Tells how many.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn make_room_for_rejected(&self, most_bytes: u64) -> Result<u64, StoreError> {
        let task = "make room for rejected messages";
        let forget_days = "DELETE FROM rejected_bytes
                           WHERE to_regclass('rejected_events_' || to_char(day, 'YYYYMMDD')) IS NULL";
        self.client.execute(forget_days, &[]).await.map_err(StoreError::query(task))?;
        let total = "SELECT coalesce(sum(bytes), 0)::bigint FROM rejected_bytes";
        let kept: i64 = self.client.query_one(total, &[]).await.map_err(StoreError::query(task))?.get(0);
        if kept.unsigned_abs() <= most_bytes / 4 * 3 {
            return Ok(0);
        }
        let (mut left, half) = (kept, (most_bytes / 2) as i64);
        let mut forgotten = 0;
        while left > half {
            let row = self.client.query_one(FORGET_BYTES, &[&(left - half)]).await;
            let row = row.map_err(StoreError::query(task))?;
            let (messages, bytes): (i64, i64) = (row.get(0), row.get(1));
            if messages == 0 {
                break;
            }
            (left, forgotten) = (left - bytes, forgotten + messages.unsigned_abs());
        }
        Ok(forgotten)
    }

    /// Forgets mails that could not be sent for so long, and tells how many.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn forget_old_mails(&self, age: Duration) -> Result<u64, StoreError> {
        let delete = "DELETE FROM mails WHERE created_at < now() - $1 * interval '1 second'";
        let deleted = self.client.execute(delete, &[&age.as_secs_f64()]).await;
        deleted.map_err(StoreError::query("forget old mails"))
    }

    /// Forgets the secrets whose overlap is over.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn forget_expired_secrets(&self) -> Result<u64, StoreError> {
        let deleted = self.client.execute("DELETE FROM webhook_secrets WHERE expires_at < now()", &[]).await;
        deleted.map_err(StoreError::query("forget expired secrets"))
    }

    /// Forgets what was kept of the API's requests for 24 hours, what webhooks were before `oldest`, and
    /// replays that ended before.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn forget_the_past(&self, now: Timestamp, retention: Duration) -> Result<(), StoreError> {
        let oldest = now.saturating_sub(retention).unwrap_or(Timestamp::MIN);
        let task = "forget the past";
        let keys = "DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours'";
        self.client.execute(keys, &[]).await.map_err(StoreError::query(task))?;
        for past in ["webhook_versions WHERE until < $1", "replays WHERE finished_at < $1"] {
            let deleted = self.client.execute(&format!("DELETE FROM {past}"), &[&oldest]).await;
            deleted.map_err(StoreError::query(task))?;
        }
        Ok(())
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
        let delete = "WITH gone AS (DELETE FROM webhooks WHERE id = $1 AND state = 'deleted' RETURNING id),
                      numbers AS (DELETE FROM notification_sequences USING gone WHERE webhook_id = gone.id)
                      DELETE FROM webhook_health USING gone WHERE webhook_id = gone.id";
        self.client.execute(delete, &[&id.0]).await.map(|_| ()).map_err(task)
    }
}
