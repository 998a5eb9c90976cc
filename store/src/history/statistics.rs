//! Statistics: what was counted of a webhook, or of all together, by minute and by hour.
//!
//! Minutes are counted as attempts are recorded. A day whose minutes are old is folded into hours, in
//! one transaction; so the hours of newer days are read off their minutes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use posthorn_domain::{
    id::WebhookId,
    statistics::{Latency, Tally},
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{counts::SUMS, days::day_of, error::StoreError, store::History};

/// Stands for all webhooks together.
pub const ALL_WEBHOOKS: WebhookId = WebhookId(Uuid::max());

/// A span of time, by whole minutes, or hours where only those are kept: those that begin in it count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// From when on.
    pub since: Timestamp,
    /// Before when.
    pub until: Timestamp,
}

/// How long each point of a series lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// A minute. Older days have none.
    Minute,
    /// An hour.
    Hour,
}

/// What happened in a minute or an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// When it began.
    pub at: Timestamp,
    /// What was counted.
    pub tally: Tally,
}

/// Minutes and hours of the webhooks $1 between $2 and $3, which lie on the days from $4 to $5. A day
/// is in one of the tables only.
const BOTH: &str = "(
    SELECT webhook_id, minute AS at, events::bigint, accepted::bigint, refused::bigint, gone::bigint,
           unreachable::bigint, interrupted::bigint, failed::bigint, latency::bigint[]
    FROM statistics_minutes
    WHERE webhook_id = ANY ($1) AND minute >= $2 AND minute < $3 AND day BETWEEN $4 AND $5
    UNION ALL
    SELECT webhook_id, hour, events, accepted, refused, gone, unreachable, interrupted, failed, latency
    FROM statistics_hours WHERE webhook_id = ANY ($1) AND hour >= $2 AND hour < $3) AS counted";

impl History {
    /// What happened to a webhook, or to [`ALL_WEBHOOKS`], one interval after the other; those in which nothing happened
    /// are left out.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn statistics(
        &self,
        webhook: WebhookId,
        span: Span,
        interval: Interval,
    ) -> Result<Vec<Point>, StoreError> {
        let query = match interval {
            Interval::Minute => format!(
                "SELECT minute AS at, {} FROM statistics_minutes
                 WHERE webhook_id = ANY ($1) AND minute >= $2 AND minute < $3 AND day BETWEEN $4 AND $5
                 GROUP BY minute ORDER BY minute",
                *SUMS
            ),
            Interval::Hour => format!(
                "SELECT date_trunc('hour', at, 'UTC') AS at, {} FROM {BOTH} GROUP BY 1 ORDER BY 1",
                *SUMS
            ),
        };
        let rows = self.counted(&query, &[webhook], span).await?;
        Ok(rows.iter().map(|row| Point { at: row.get("at"), tally: read(row) }).collect())
    }

    /// What happened to each of these webhooks in all, [`ALL_WEBHOOKS`] being one of them if it is
    /// named; those to which nothing happened are left out.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn statistics_totals(
        &self,
        webhooks: &[WebhookId],
        span: Span,
    ) -> Result<BTreeMap<WebhookId, Tally>, StoreError> {
        let query = format!("SELECT webhook_id, {} FROM {BOTH} GROUP BY webhook_id", *SUMS);
        let rows = self.counted(&query, webhooks, span).await?;
        Ok(rows.iter().map(|row| (WebhookId(row.get("webhook_id")), read(row))).collect())
    }

    async fn counted(&self, query: &str, of: &[WebhookId], span: Span) -> Result<Vec<Row>, StoreError> {
        let client = self.pool.client().await?;
        let ids: Vec<_> = of.iter().map(|id| id.0).collect();
        let Span { since, until } = span;
        let days = (day_of(since), day_of(until));
        let rows = client.query(query, &[&ids, &since, &until, &days.0, &days.1]).await;
        rows.map_err(StoreError::query("read statistics"))
    }
}

fn read(row: &Row) -> Tally {
    let count = |name| row.get::<_, i64>(name).unsigned_abs();
    let counts: Vec<i64> = row.get("latency");
    let mut latency = Latency::default();
    latency.0.iter_mut().zip(counts).for_each(|(place, count)| *place = count.unsigned_abs());
    Tally {
        events: count("events"),
        accepted: count("accepted"),
        refused: count("refused"),
        gone: count("gone"),
        unreachable: count("unreachable"),
        interrupted: count("interrupted"),
        failed: count("failed"),
        latency,
    }
}
