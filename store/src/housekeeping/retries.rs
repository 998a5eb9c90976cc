//! Retries that are due: what was recorded tells which of them were not made.

use jiff::Timestamp;

use super::janitor::Janitor;
use crate::error::StoreError;

/// How many retries are looked at in one query.
const MOST_AT_ONCE: i64 = 10_000;

/// What a look at retries found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retries {
    /// The oldest that was not made was due then.
    WaitSince(Timestamp),
    /// Those due before then were made; there are more.
    MadeUntil(Timestamp),
    /// All that are due were made.
    Made,
}

impl Janitor<'_> {
    /// Looks at retries that were due at `since` or later, the oldest first. Those of paused and
    /// disabled webhooks must wait and don't count.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn retries_due(&self, since: Timestamp) -> Result<Retries, StoreError> {
        let query = "
            WITH due AS MATERIALIZED (
                SELECT event_ref, digest, webhook_id, started_on, started_at, next_attempt_at FROM attempts
                WHERE step = 'retry' AND next_attempt_at >= $1 AND next_attempt_at < now()
                ORDER BY next_attempt_at LIMIT $2)
            SELECT (SELECT min(next_attempt_at) FROM due JOIN webhooks ON id = webhook_id
                    WHERE state = 'enabled' AND NOT EXISTS (
                        SELECT FROM attempts AS made
                        WHERE made.event_ref = due.event_ref AND made.webhook_id = due.webhook_id
                          AND made.digest = due.digest
                          AND made.started_on >= due.started_on AND made.started_at > due.started_at)),
                   (SELECT max(next_attempt_at) FROM due HAVING count(*) = $2)";
        let row = self.client.query_one(query, &[&since, &MOST_AT_ONCE]).await;
        let row = row.map_err(StoreError::query("look for retries that are due"))?;
        Ok(match (row.get(0), row.get(1)) {
            (Some(waits_since), _) => Retries::WaitSince(waits_since),
            (None, Some(until)) => Retries::MadeUntil(until),
            (None, None) => Retries::Made,
        })
    }
}
