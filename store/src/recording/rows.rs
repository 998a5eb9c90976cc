//! Rows written many at a time: an array for each column.

use std::{borrow::Cow, collections::HashSet, time::Duration};

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use posthorn_domain::{
    journal::{Attempted, Dropped},
    notification::LastOutcome,
    step::{Step, StepKind},
};
use tokio_postgres::{Error, types::Json};
use uuid::Uuid;

use crate::days::day_of;

/// PostgreSQL's text holds no NUL.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// Counts of ours never come near the end of a signed integer.
pub(super) fn signed(number: u32) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

fn millis(time: Duration) -> i32 {
    time.as_millis().try_into().unwrap_or(i32::MAX)
}

/// Names and values.
type Pairs<'a> = Json<Vec<(&'a str, Cow<'a, str>)>>;

/// A list of pairs; `None` if there are none.
fn headers(headers: &[(String, String)]) -> Option<Pairs<'_>> {
    let cleaned = headers.iter().map(|(name, value)| (name.as_str(), clean(value)));
    (!headers.is_empty()).then(|| Json(cleaned.collect()))
}

/// Collects one column.
macro_rules! column {
    ($rows:expr, $row:ident => $value:expr) => {
        $rows.map(|$row| $value).collect::<Vec<_>>()
    };
}
pub(super) use column;

/// Writes attempts, and keeps of `rows` those that are new.
pub(super) async fn attempts(transaction: &Transaction<'_>, rows: &mut Vec<&Attempted>) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_unstable_by_key(|row| (row.started_at, row.id));
    let insert = "INSERT INTO attempts (started_on, id, event_id, webhook_id, epoch, attempt, started_at,
                                        duration_ms, outcome, status, unreachable_class, error, response_body,
                                        step, next_attempt_at, event_type, company_id, dns_ms, connect_ms,
                                        first_byte_ms, response_headers, event_ref, digest,
                                        address)
                  SELECT * FROM unnest($1::date[], $2::uuid[], $3::text[], $4::uuid[], $5::int[], $6::int[],
                                       $7::timestamptz[], $8::int[], $9::text[], $10::smallint[], $11::text[],
                                       $12::text[], $13::text[], $14::text[], $15::timestamptz[], $16::text[],
                                       $17::text[], $18::int[], $19::int[], $20::int[], $21::jsonb[], $22::uuid[],
                                       $23::uuid[], $24::inet[])
                  ON CONFLICT DO NOTHING
                  RETURNING id";
    let statement = transaction.prepare_cached(insert).await?;
    let written = transaction
        .query(
            &statement,
            &[
                &column!(rows.iter(), row => day_of(row.started_at)),
                &column!(rows.iter(), row => row.id.0),
                &column!(rows.iter(), row => row.event_id.as_str()),
                &column!(rows.iter(), row => row.webhook_id.0),
                &column!(rows.iter(), row => signed(row.epoch)),
                &column!(rows.iter(), row => signed(row.attempt)),
                &column!(rows.iter(), row => row.started_at),
                &column!(rows.iter(), row => millis(row.duration)),
                &column!(rows.iter(), row => row.outcome.label()),
                &column!(rows.iter(), row => row.outcome.status().map(|status| status as i16)),
                &column!(rows.iter(), row => row.outcome.unreachable().map(|(class, _)| class.label())),
                &column!(rows.iter(), row => row.outcome.unreachable().map(|(_, error)| clean(error))),
                &column!(rows.iter(), row => Some(clean(&row.response_body)).filter(|body| !body.is_empty())),
                &column!(rows.iter(), row => step(row.step).label()),
                &column!(rows.iter(), row => row.step.next_attempt()),
                &column!(rows.iter(), row => row.event_type.as_str()),
                &column!(rows.iter(), row => clean(&row.company_id)),
                &column!(rows.iter(), row => row.phases.dns.map(millis)),
                &column!(rows.iter(), row => row.phases.connect.map(millis)),
                &column!(rows.iter(), row => millis(row.phases.first_byte)),
                &column!(rows.iter(), row => headers(&row.response_headers)),
                &column!(rows.iter(), row => row.event_ref().0),
                &column!(rows.iter(), row => row.digest.0),
                &column!(rows.iter(), row => row.address),
            ],
        )
        .await?;
    let mut written: HashSet<Uuid> = written.iter().map(|row| row.get(0)).collect();
    rows.retain(|row| written.remove(&row.id.0));
    Ok(())
}

/// Whether a failed delivery disables its webhook is decided afterwards.
fn step(step: Step<Timestamp>) -> StepKind {
    match step {
        Step::Succeed => StepKind::Succeed,
        Step::Retry(_) => StepKind::Retry,
        Step::GiveUp | Step::Disable => StepKind::GiveUp,
    }
}

pub(super) async fn dropped(transaction: &Transaction<'_>, rows: &mut [&Dropped]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_by_cached_key(|row| (row.event_ref(), row.webhook_id));
    let insert =
        "INSERT INTO dropped_deliveries (dropped_on, event_id, webhook_id, dropped_at, reason, company_id,
                                                  event_ref)
                  SELECT * FROM unnest($1::date[], $2::text[], $3::uuid[], $4::timestamptz[], $5::text[],
                                       $6::text[], $7::uuid[])
                  ON CONFLICT DO NOTHING";
    let statement = transaction.prepare_cached(insert).await?;
    transaction
        .execute(
            &statement,
            &[
                &column!(rows.iter(), row => day_of(row.dropped_at)),
                &column!(rows.iter(), row => clean(row.event_id.as_str())),
                &column!(rows.iter(), row => row.webhook_id.0),
                &column!(rows.iter(), row => row.dropped_at),
                &column!(rows.iter(), row => clean(&row.reason)),
                &column!(rows.iter(), row => clean(&row.company_id)),
                &column!(rows.iter(), row => row.event_ref().0),
            ],
        )
        .await?;
    Ok(())
}

/// The outcome as people see it beside a disabled webhook.
pub(super) fn outcome(attempted: &Attempted) -> LastOutcome {
    let unreachable = attempted.outcome.unreachable();
    LastOutcome {
        outcome: attempted.outcome.kind(),
        status: attempted.outcome.status(),
        unreachable_class: unreachable.map(|(class, _)| class),
        error: unreachable.map(|(_, error)| clean(error).into_owned()),
        event_ref: attempted.event_ref(),
        event_id: attempted.event_id.clone(),
        attempt: attempted.attempt,
        response_body: clean(&attempted.response_body).into_owned(),
    }
}

/// When an attempt ended.
pub(super) fn ended_at(attempted: &Attempted) -> Timestamp {
    attempted.started_at.saturating_add(attempted.duration).unwrap_or(attempted.started_at)
}
