//! Writes the journal: one transaction for all that has gathered, idempotent under redelivery.
//!
//! Rows are sorted by their keys before they are written, so that two recorders that write the same
//! rows wait for each other instead of deadlocking.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use jiff::civil::Date;
use posthorn_domain::{
    id::{AttemptId, EventRef, WebhookId},
    journal::{Attempted, Dropped, Entry, Rejected, Routed},
    step::{Step, StepKind},
    webhook::DisabledReason,
};
use tokio_postgres::types::Json;

use crate::{days::day_of, error::StoreError, store::Recorder};

mod events;
mod health;
mod rejected;
mod rows;
pub(crate) mod seen;
mod statistics;

/// What recording must know of the installation.
#[derive(Debug, Clone, Copy)]
pub struct Recording {
    /// How many retries a delivery has.
    pub retries: usize,
    /// The most event types, companies and projects, of each, that are added to the catalogue because
    /// they were seen.
    pub most_seen: u32,
    /// Bytes of rejected messages that are kept, about.
    pub most_rejected_bytes: u64,
}

/// What recording changed besides adding rows.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The webhooks that were disabled, each exactly once however often it is recorded.
    pub disabled: Vec<Disabled>,
    /// The events whose id came with other content, each time that is new.
    pub conflicts: Vec<EventRef>,
    /// Rejected messages that are not kept whole.
    pub unkept: usize,
}

/// A webhook was disabled.
#[derive(Debug)]
pub struct Disabled {
    /// Which.
    pub webhook_id: WebhookId,
    /// Why.
    pub reason: DisabledReason,
    /// The event whose delivery failed.
    pub event: EventRef,
}

impl Recorder {
    /// Writes entries in one transaction.
    ///
    /// # Errors
    /// If the database refuses, which changes nothing, or is gone, which may have changed all:
    /// recording the same again is harmless.
    pub async fn record(&self, entries: &[Entry], recording: Recording) -> Result<Recorded, StoreError> {
        self.partitions.ensure_days(entries.iter().map(day)).await?;
        let mut client = self.pool.client().await?;
        let mut sorted = Sorted::default();
        entries.iter().for_each(|entry| sorted.add(entry));
        let events = events::rows(&sorted.routed);
        let unseen = self.seen.unseen(events.iter().map(|row| &row.event));
        let recorded = async {
            let transaction = client.transaction().await?;
            let given_up = GivenUp::among(&sorted.attempted);
            let new = events::write(&transaction, events).await?;
            rows::attempts(&transaction, &mut sorted.attempted).await?;
            let unkept =
                rejected::add(&transaction, &mut sorted.rejected, recording.most_rejected_bytes).await?;
            rows::dropped(&transaction, &mut sorted.dropped).await?;
            let failing = health::times(&transaction, &sorted.attempted).await?;
            let disabled = disable(&transaction, given_up).await?;
            health::follow(&transaction, &sorted.attempted, failing, recording.retries).await?;
            let routed: Vec<_> = new.events.iter().chain(&new.conflicts).collect();
            statistics::count(&transaction, &routed, &sorted.attempted).await?;
            let full = unseen.add(&transaction, recording.most_seen).await?;
            transaction.commit().await?;
            let conflicts = new.conflicts.iter().map(|row| row.event_ref).collect();
            Ok((Recorded { disabled, conflicts, unkept }, full))
        };
        let recorded = recorded.await.map_err(StoreError::query("record what happened"));
        if recorded.as_ref().is_err_and(StoreError::is_about_the_data) {
            // A partition that another recorder dropped looks like this.
            self.partitions.forget();
        }
        let (recorded, full) = recorded?;
        self.seen.learn(unseen, full, recording.most_seen);
        Ok(recorded)
    }
}

#[derive(Default)]
struct Sorted<'a> {
    routed: Vec<&'a Routed>,
    attempted: Vec<&'a Attempted>,
    rejected: Vec<&'a Rejected>,
    dropped: Vec<&'a Dropped>,
}

impl<'a> Sorted<'a> {
    fn add(&mut self, entry: &'a Entry) {
        match entry {
            Entry::Routed(routed) => self.routed.push(routed),
            Entry::Attempted(attempted) => self.attempted.push(attempted),
            Entry::Rejected(rejected) => self.rejected.push(rejected),
            Entry::Dropped(dropped) => self.dropped.push(dropped),
        }
    }
}

fn day(entry: &Entry) -> Date {
    day_of(match entry {
        Entry::Routed(routed) => routed.received_at,
        Entry::Attempted(attempted) => attempted.started_at,
        Entry::Rejected(rejected) => rejected.rejected_at,
        Entry::Dropped(dropped) => dropped.dropped_at,
    })
}

/// Attempts of deliveries that have failed for good, by webhook and attempt. Whether they are new does
/// not matter: a webhook is disabled once.
struct GivenUp<'a>(BTreeMap<(WebhookId, AttemptId), (DisabledReason, &'a Attempted)>);

impl<'a> GivenUp<'a> {
    fn among(attempted: &[&'a Attempted]) -> Self {
        let given_up = attempted.iter().filter_map(|attempted| {
            let reason = match attempted.step {
                Step::GiveUp => DisabledReason::Exhausted,
                Step::Disable => DisabledReason::Gone,
                Step::Succeed | Step::Retry(_) => return None,
            };
            Some(((attempted.webhook_id, attempted.id), (reason, *attempted)))
        });
        Self(given_up.collect())
    }
}

/// Disables webhooks where a delivery has failed for good and their policy says so. The conditions
/// stand in the statement, so that of many recorders one disables, and only in the attempt's epoch.
async fn disable(
    transaction: &Transaction<'_>,
    given_up: GivenUp<'_>,
) -> Result<Vec<Disabled>, tokio_postgres::Error> {
    let mut disabled = Vec::new();
    for ((webhook_id, attempt_id), (reason, attempted)) in given_up.0 {
        if disable_one(transaction, attempt_id, reason, attempted).await? {
            disabled.push(Disabled { webhook_id, reason, event: attempted.event_ref() });
        }
    }
    Ok(disabled)
}

async fn disable_one(
    transaction: &Transaction<'_>,
    attempt_id: AttemptId,
    reason: DisabledReason,
    attempted: &Attempted,
) -> Result<bool, tokio_postgres::Error> {
    let update = "UPDATE webhooks SET state = 'disabled', disabled_reason = $3, disabled_at = $4,
                         disabled_outcome = $5
                  WHERE id = $1 AND epoch = $2 AND state IN ('enabled', 'paused')
                    AND ($3 = 'gone' OR disable_policy = 'exhausted'
                         OR NOT EXISTS (SELECT FROM webhook_health
                                        WHERE webhook_id = $1 AND last_accepted_at >= $6))";
    let ended_at = rows::ended_at(attempted);
    let epoch = rows::signed(attempted.epoch);
    let outcome = Json(rows::outcome(attempted));
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
        [&attempted.webhook_id.0, &epoch, &reason.label(), &ended_at, &outcome, &attempted.first_attempt_at];
    let disabled = transaction.execute(update, &params).await? == 1;
    if disabled {
        let update = "UPDATE attempts SET step = $3 WHERE started_on = $1 AND id = $2";
        let step = StepKind::Disable.label();
        transaction.execute(update, &[&day_of(attempted.started_at), &attempt_id.0, &step]).await?;
    }
    Ok(disabled)
}
