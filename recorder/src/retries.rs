//! How late the oldest retry is. The broker doesn't tell the age of what waits in it, nor that a delay
//! queue is stuck; what was recorded does.

use std::time::Duration;

use jiff::Timestamp;
use posthorn_store::{Janitor, Retries, StoreError};

use crate::metrics;

/// Retries that were due longer ago are forgotten: whatever became of them, they are not made any more.
const LOOKED_BACK: Duration = Duration::from_secs(24 * 3600);
/// How many queries one look may take; the next goes on from there.
const MOST_QUERIES: usize = 10;

/// Remembers up to when all retries were made, so that each is looked at about once.
#[derive(Default)]
pub(crate) struct Lateness {
    made_until: Timestamp,
}

impl Lateness {
    /// Looks for the oldest retry that is due, and tells how late it is.
    pub(crate) async fn look(&mut self, janitor: &Janitor<'_>) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let oldest = now.saturating_sub(LOOKED_BACK).unwrap_or(Timestamp::MIN);
        self.made_until = self.made_until.max(oldest);
        for _ in 0..MOST_QUERIES {
            match janitor.retries_due(self.made_until).await? {
                Retries::WaitSince(due_at) => {
                    self.made_until = due_at;
                    metrics::oldest_retry(now.duration_since(due_at).unsigned_abs());
                    return Ok(());
                }
                Retries::MadeUntil(until) => self.made_until = until,
                Retries::Made => break,
            }
        }
        metrics::oldest_retry(Duration::ZERO);
        Ok(())
    }

    /// Whoever tidies up in our place tells it.
    pub(crate) fn is_told_by_another(&self) {
        metrics::oldest_retry(Duration::ZERO);
    }
}
