//! Rows written many at a time: an array for each column.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use bytes::Bytes;
use deadpool_postgres::Transaction;
use jiff::Timestamp;
use posthorn_domain::{
    event::Event,
    id::WebhookId,
    journal::{Attempted, Consequence, Dropped, Rejected, Routed},
    outcome::Outcome,
};
use tokio_postgres::{Error, types::Json};

use crate::partitions::day_of;

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
        $rows.iter().map(|$row| $value).collect::<Vec<_>>()
    };
}

/// An event that was routed twice, because a router fell or its producer published again, keeps its
/// first row, with all the webhooks that either found.
pub(super) async fn events(transaction: &Transaction<'_>, routed: &mut [&Routed]) -> Result<(), Error> {
    let mut by_key = BTreeMap::new();
    for routed in routed {
        // What a router has routed decodes; were it not so, there would be nothing to file it under.
        let Ok(event) = Event::decode(&routed.message, usize::MAX) else {
            tracing::error!("the journal holds a routed event that does not decode: it is left out");
            continue;
        };
        let key = (day_of(routed.received_at), event.id.clone());
        let (_, _, webhooks) = by_key.entry(key).or_insert((event, *routed, Vec::new()));
        webhooks.extend(&routed.webhook_ids);
        webhooks.sort_unstable();
        webhooks.dedup();
    }
    if by_key.is_empty() {
        return Ok(());
    }
    let insert = "INSERT INTO events (received_on, id, received_at, type, company_id, project_id, occurred_at,
                                      message, webhook_ids)
                  SELECT received_on, id, received_at, type, company_id, project_id, occurred_at, message,
                         webhook_ids::uuid[]
                  FROM unnest($1::date[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
                              $7::timestamptz[], $8::bytea[], $9::text[])
                       AS row (received_on, id, received_at, type, company_id, project_id, occurred_at, message,
                               webhook_ids)
                  ON CONFLICT (received_on, id) DO UPDATE
                  SET webhook_ids = ARRAY(SELECT DISTINCT unnest(events.webhook_ids || excluded.webhook_ids))
                  WHERE NOT events.webhook_ids @> excluded.webhook_ids";
    let (keys, rows): (Vec<_>, Vec<_>) = by_key.into_iter().unzip();
    let statement = transaction.prepare_cached(insert).await?;
    transaction
        .execute(
            &statement,
            &[
                &column!(keys, key => key.0),
                &column!(keys, key => key.1.as_str()),
                &column!(rows, row => row.1.received_at),
                &column!(rows, row => row.0.event_type.as_str()),
                &column!(rows, row => clean(&row.0.company_id)),
                &column!(rows, row => clean(&row.0.project_id)),
                &column!(rows, row => row.0.occurred_at),
                &column!(rows, row => Bytes::as_ref(&row.1.message)),
                &column!(rows, row => array(&row.2)),
            ],
        )
        .await?;
    Ok(())
}

/// An array literal: `unnest` takes no arrays of arrays of different lengths.
fn array(webhooks: &[WebhookId]) -> String {
    let ids: Vec<_> = webhooks.iter().map(|id| id.0.to_string()).collect();
    format!("{{{}}}", ids.join(","))
}

pub(super) async fn attempts(transaction: &Transaction<'_>, rows: &mut [&Attempted]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_unstable_by_key(|row| (row.started_at, row.id));
    let insert = "INSERT INTO attempts (started_on, id, event_id, webhook_id, epoch, attempt, started_at,
                                        duration_ms, outcome, status, unreachable_class, error, response_body,
                                        step, next_attempt_at, event_type, company_id, dns_ms, connect_ms,
                                        first_byte_ms, response_headers)
                  SELECT * FROM unnest($1::date[], $2::uuid[], $3::text[], $4::uuid[], $5::int[], $6::int[],
                                       $7::timestamptz[], $8::int[], $9::text[], $10::smallint[], $11::text[],
                                       $12::text[], $13::text[], $14::text[], $15::timestamptz[], $16::text[],
                                       $17::text[], $18::int[], $19::int[], $20::int[], $21::jsonb[])
                  ON CONFLICT DO NOTHING";
    let statement = transaction.prepare_cached(insert).await?;
    transaction
        .execute(
            &statement,
            &[
                &column!(rows, row => day_of(row.started_at)),
                &column!(rows, row => row.id),
                &column!(rows, row => row.event_id.as_str()),
                &column!(rows, row => row.webhook_id.0),
                &column!(rows, row => signed(row.epoch)),
                &column!(rows, row => signed(row.attempt)),
                &column!(rows, row => row.started_at),
                &column!(rows, row => millis(row.duration)),
                &column!(rows, row => row.outcome.label()),
                &column!(rows, row => row.outcome.status().map(|status| status as i16)),
                &column!(rows, row => row.outcome.unreachable().map(|(class, _)| class.label())),
                &column!(rows, row => row.outcome.unreachable().map(|(_, error)| clean(error))),
                &column!(rows, row => Some(clean(&row.response_body)).filter(|body| !body.is_empty())),
                &column!(rows, row => step(row.consequence).0),
                &column!(rows, row => step(row.consequence).1),
                &column!(rows, row => row.event_type.as_str()),
                &column!(rows, row => clean(&row.company_id)),
                &column!(rows, row => row.phases.dns.map(millis)),
                &column!(rows, row => row.phases.connect.map(millis)),
                &column!(rows, row => millis(row.phases.first_byte)),
                &column!(rows, row => headers(&row.response_headers)),
            ],
        )
        .await?;
    Ok(())
}

/// A delivery that gives up has failed; whether it disables its webhook is decided afterwards.
fn step(consequence: Consequence) -> (&'static str, Option<Timestamp>) {
    match consequence {
        Consequence::Succeed => ("succeed", None),
        Consequence::Retry(at) => ("retry", Some(at)),
        Consequence::GiveUp | Consequence::DisableNow => ("fail", None),
    }
}

pub(super) async fn rejected(transaction: &Transaction<'_>, rows: &mut [&Rejected]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_unstable_by_key(|row| (row.rejected_at, row.id));
    let insert = "INSERT INTO rejected_events (rejected_on, id, rejected_at, field, reason, routing_key,
                                               message_id, size, message)
                  SELECT * FROM unnest($1::date[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[],
                                       $6::text[], $7::text[], $8::bigint[], $9::bytea[])
                  ON CONFLICT DO NOTHING";
    let statement = transaction.prepare_cached(insert).await?;
    transaction
        .execute(
            &statement,
            &[
                &column!(rows, row => day_of(row.rejected_at)),
                &column!(rows, row => row.id),
                &column!(rows, row => row.rejected_at),
                &column!(rows, row => clean(&row.field)),
                &column!(rows, row => clean(&row.reason)),
                &column!(rows, row => clean(&row.routing_key)),
                &column!(rows, row => clean(&row.message_id)),
                &column!(rows, row => i64::try_from(row.size).unwrap_or(i64::MAX)),
                &column!(rows, row => Bytes::as_ref(&row.message)),
            ],
        )
        .await?;
    Ok(())
}

pub(super) async fn dropped(transaction: &Transaction<'_>, rows: &mut [&Dropped]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_unstable_by_key(|row| (row.webhook_id, row.event_id.clone()));
    let insert = "INSERT INTO dropped_deliveries (dropped_on, event_id, webhook_id, dropped_at, reason)
                  SELECT * FROM unnest($1::date[], $2::text[], $3::uuid[], $4::timestamptz[], $5::text[])
                  ON CONFLICT DO NOTHING";
    let statement = transaction.prepare_cached(insert).await?;
    transaction
        .execute(
            &statement,
            &[
                &column!(rows, row => day_of(row.dropped_at)),
                &column!(rows, row => clean(&row.event_id)),
                &column!(rows, row => row.webhook_id.0),
                &column!(rows, row => row.dropped_at),
                &column!(rows, row => clean(&row.reason)),
            ],
        )
        .await?;
    Ok(())
}

/// One row for each webhook, with the latest times only: batches arrive in any order.
pub(super) async fn health(transaction: &Transaction<'_>, attempted: &[&Attempted]) -> Result<(), Error> {
    let mut latest: BTreeMap<WebhookId, (Option<Timestamp>, Option<Timestamp>)> = BTreeMap::new();
    for row in attempted {
        let (accepted, failed) = latest.entry(row.webhook_id).or_default();
        let time = if matches!(row.outcome, Outcome::Accepted { .. }) { accepted } else { failed };
        *time = (*time).max(Some(row.started_at));
    }
    if latest.is_empty() {
        return Ok(());
    }
    let insert = "INSERT INTO webhook_health (webhook_id, last_accepted_at, last_failed_at)
                  SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[])
                  ON CONFLICT (webhook_id) DO UPDATE
                  SET last_accepted_at = greatest(webhook_health.last_accepted_at, excluded.last_accepted_at),
                      last_failed_at = greatest(webhook_health.last_failed_at, excluded.last_failed_at)";
    let (ids, times): (Vec<_>, Vec<_>) = latest.into_iter().unzip();
    let statement = transaction.prepare_cached(insert).await?;
    transaction
        .execute(
            &statement,
            &[&column!(ids, id => id.0), &column!(times, time => time.0), &column!(times, time => time.1)],
        )
        .await?;
    Ok(())
}
