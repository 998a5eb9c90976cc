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

/// Remembers up to when all retries were made, so that a look never begins far back.
#[derive(Default)]
pub(crate) struct Lateness {
    made_until: Timestamp,
}

impl Lateness {
    /// Looks for the oldest retry that is due, and tells how late it is.
    pub(crate) async fn look(&mut self, janitor: &Janitor<'_>, now: Timestamp) -> Result<(), StoreError> {
        self.begin(now);
        let mut overdue = None;
        for _ in 0..MOST_QUERIES {
            overdue = self.learn(janitor.retries_due(self.made_until).await?, now);
            if overdue.is_some() {
                break;
            }
        }
        metrics::oldest_retry(overdue.unwrap_or_default());
        Ok(())
    }

    /// Begins a look, not too far back.
    fn begin(&mut self, now: Timestamp) {
        let oldest = now.saturating_sub(LOOKED_BACK).unwrap_or(Timestamp::MIN);
        self.made_until = self.made_until.max(oldest);
    }

    /// Takes in what one query has found: how late the oldest retry is, or `None` if there is more to look at.
    fn learn(&mut self, found: Retries, now: Timestamp) -> Option<Duration> {
        match found {
            Retries::WaitSince(due_at) => {
                self.made_until = due_at;
                Some(now.duration_since(due_at).unsigned_abs())
            }
            Retries::MadeUntil(until) => {
                self.made_until = until;
                None
            }
            Retries::Made => Some(Duration::ZERO),
        }
    }

    /// Whoever tidies up in our place tells it.
    pub(crate) fn is_told_by_another(&self) {
        metrics::oldest_retry(Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is a time")
    }

    const NOW: i64 = 1_000_000;

    #[test]
    fn the_oldest_retry_that_waits_tells_how_late_retries_are() {
        let mut lateness = Lateness::default();
        lateness.begin(at(NOW));
        assert_eq!(lateness.learn(Retries::MadeUntil(at(NOW - 500)), at(NOW)), None, "there are more");
        let late = lateness.learn(Retries::WaitSince(at(NOW - 90)), at(NOW));
        assert_eq!(late, Some(Duration::from_secs(90)));
        assert_eq!(lateness.made_until, at(NOW - 90), "the next look begins there");
        assert_eq!(lateness.learn(Retries::Made, at(NOW)), Some(Duration::ZERO));
    }

    #[test]
    fn a_look_begins_a_day_back_at_most() {
        let mut lateness = Lateness::default();
        lateness.begin(at(NOW));
        assert_eq!(lateness.made_until, at(NOW - 24 * 3600));
        lateness.made_until = at(NOW - 60);
        lateness.begin(at(NOW));
        assert_eq!(lateness.made_until, at(NOW - 60));
    }
}
