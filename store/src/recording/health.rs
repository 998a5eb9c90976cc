//! The health of webhooks: when attempts last succeeded and failed, and who must be told of it.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use posthorn_domain::{
    health::{Failing, Health, HealthChange, Trouble, follow as decide, is_half_used},
    id::WebhookId,
    journal::Attempted,
    notification::{Kind, LastOutcome},
    outcome::Outcome,
    step::Step,
};
use tokio_postgres::{Error, Row, types::Json};
use uuid::Uuid;

use super::rows::{column, ended_at, outcome, signed};
use crate::columns::word;

/// One row for each webhook, with the latest times only: batches arrive in any order. Returns the
/// webhooks among them that fail.
pub(super) async fn times(
    transaction: &Transaction<'_>,
    attempted: &[&Attempted],
) -> Result<Vec<WebhookId>, Error> {
    let mut latest: BTreeMap<WebhookId, (Option<Timestamp>, Option<Timestamp>)> = BTreeMap::new();
    for row in attempted {
        let (accepted, failed) = latest.entry(row.webhook_id).or_default();
        let time = if matches!(row.outcome, Outcome::Accepted { .. }) { accepted } else { failed };
        *time = (*time).max(Some(row.started_at));
    }
    if latest.is_empty() {
        return Ok(Vec::new());
    }
    let insert = "WITH written AS (
                      INSERT INTO webhook_health (webhook_id, last_accepted_at, last_failed_at)
                      SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[])
                      ON CONFLICT (webhook_id) DO UPDATE
                      SET last_accepted_at =
                              greatest(webhook_health.last_accepted_at, excluded.last_accepted_at),
                          last_failed_at = greatest(webhook_health.last_failed_at, excluded.last_failed_at)
                      RETURNING webhook_id, failing_until)
                  SELECT webhook_id FROM written WHERE failing_until IS NOT NULL";
    let (ids, times): (Vec<_>, Vec<_>) = latest.into_iter().unzip();
    let statement = transaction.prepare_cached(insert).await?;
    let failing = transaction
        .query(
            &statement,
            &[
                &column!(ids.iter(), id => id.0),
                &column!(times.iter(), time => time.0),
                &column!(times.iter(), time => time.1),
            ],
        )
        .await?;
    Ok(failing.iter().map(|row| WebhookId(row.get(0))).collect())
}

/// What changes for a webhook.
struct Change {
    webhook_id: Uuid,
    epoch: u32,
    failing: Option<Failing>,
    health_change: Option<HealthChange>,
    outcome: Option<LastOutcome>,
}

/// Decides which webhooks fail from now on and which have recovered, and notes that it must be told.
/// `attempted` are new, and the rows of their webhooks are locked, by [`times`].
pub(super) async fn follow(
    transaction: &Transaction<'_>,
    attempted: &[&Attempted],
    failing: Vec<WebhookId>,
    retries: usize,
) -> Result<(), Error> {
    let mut troubles: BTreeMap<Uuid, Vec<(Trouble, &Attempted)>> = BTreeMap::new();
    for attempted in attempted {
        if let Some(trouble) = trouble(attempted, retries) {
            troubles.entry(attempted.webhook_id.0).or_default().push((trouble, attempted));
        }
    }
    let ids: BTreeSet<Uuid> = failing.iter().map(|id| id.0).chain(troubles.keys().copied()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let select = "SELECT webhook_id, state, epoch, disable_policy, last_accepted_at, failing_epoch,
                         failing_until, told_failing_at
                  FROM webhook_health JOIN webhooks ON id = webhook_id WHERE webhook_id = ANY ($1)
                  ORDER BY webhook_id";
    let rows = transaction.query(select, &[&Vec::from_iter(ids)]).await?;
    let changes = rows.iter().filter_map(|row| {
        let webhook_id: Uuid = row.get("webhook_id");
        let known = health(row).map_err(|problem| {
            let id = WebhookId(webhook_id);
            tracing::error!(webhook.id = %id, "whether a webhook fails cannot be told, {problem}: it stays as it was");
        });
        change(webhook_id, &known.ok()?, troubles.get(&webhook_id).map_or(&[][..], Vec::as_slice))
    });
    write(transaction, &Vec::from_iter(changes)).await
}

fn trouble(attempted: &Attempted, retries: usize) -> Option<Trouble> {
    let Step::Retry(until) = attempted.step else { return None };
    is_half_used(attempted.attempt, retries).then(|| Trouble {
        epoch: attempted.epoch,
        at: ended_at(attempted),
        until,
        first_attempt_at: attempted.first_attempt_at,
    })
}

fn health(row: &Row) -> Result<Health, String> {
    let number = |name| row.get::<_, Option<i32>>(name).map(i32::unsigned_abs);
    Ok(Health {
        state: word(row, "state")?,
        epoch: row.get::<_, i32>("epoch").unsigned_abs(),
        disable_policy: word(row, "disable_policy")?,
        last_accepted_at: row.get("last_accepted_at"),
        failing: number("failing_epoch")
            .zip(row.get("failing_until"))
            .map(|(epoch, until)| Failing { epoch, until }),
        notified_at: row.get("told_failing_at"),
    })
}

fn change(webhook_id: Uuid, health: &Health, troubles: &[(Trouble, &Attempted)]) -> Option<Change> {
    let known: Vec<_> = troubles.iter().map(|(trouble, _)| *trouble).collect();
    let (failing, health_change) = decide(health, &known);
    if (failing, health_change) == (health.failing, None) {
        return None;
    }
    let cause = match health_change {
        Some(HealthChange::Failing(at)) => troubles.iter().find(|(trouble, _)| trouble.at == at),
        Some(HealthChange::Recovered(_)) | None => None,
    };
    let outcome = cause.map(|(_, attempted)| outcome(attempted));
    Some(Change { webhook_id, epoch: health.epoch, failing, health_change, outcome })
}

async fn write(transaction: &Transaction<'_>, changes: &[Change]) -> Result<(), Error> {
    let notified_at = |change: &Change| match change.health_change {
        Some(HealthChange::Failing(at)) => Some(at),
        Some(HealthChange::Recovered(_)) | None => None,
    };
    let update = "UPDATE webhook_health
                  SET failing_epoch = change.epoch, failing_until = change.until,
                      told_failing_at = coalesce(change.notified_at, told_failing_at)
                  FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::timestamptz[])
                       AS change (id, epoch, until, notified_at)
                  WHERE webhook_id = change.id";
    transaction
        .execute(
            update,
            &[
                &column!(changes.iter(), change => change.webhook_id),
                &column!(changes.iter(), change => change.failing.map(|failing| signed(failing.epoch))),
                &column!(changes.iter(), change => change.failing.map(|failing| failing.until)),
                &column!(changes.iter(), change => notified_at(change)),
            ],
        )
        .await?;
    let insert = "INSERT INTO notifications (kind, webhook_id, epoch, happened_at, outcome)
                  VALUES ($1, $2, $3, $4, $5)";
    for change in changes {
        let (kind, at) = match change.health_change {
            Some(HealthChange::Failing(at)) => (Kind::Failing, at),
            Some(HealthChange::Recovered(at)) => (Kind::Recovered, at),
            None => continue,
        };
        let outcome = change.outcome.as_ref().map(Json);
        let statement = transaction.prepare_cached(insert).await?;
        let epoch = signed(change.epoch);
        transaction.execute(&statement, &[&kind.label(), &change.webhook_id, &epoch, &at, &outcome]).await?;
    }
    Ok(())
}
