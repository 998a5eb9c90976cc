//! Counts what is new by webhook and minute, in one statement for each transaction.

use std::{collections::BTreeMap, sync::LazyLock};

use deadpool_postgres::Transaction;
use jiff::{Timestamp, civil::Date};
use posthorn_domain::{
    id::WebhookId,
    journal::Attempted,
    statistics::{BUCKETS, Latency, Tally},
};
use tokio_postgres::Error;

use super::{events::EventRow, rows::column};
use crate::{days::day_of, history::statistics::ALL_WEBHOOKS};

/// By day, webhook and minute: the order in which rows are locked. That of all webhooks, which every
/// recorder writes, comes last and is held the shortest.
type Tallies = BTreeMap<(Date, WebhookId, Timestamp), Tally>;

/// Element by element: several times faster than unnesting both.
static INSERT: LazyLock<String> = LazyLock::new(|| {
    let latency: Vec<_> = (1..=BUCKETS)
        .map(|place| format!("statistics_minutes.latency[{place}] + excluded.latency[{place}]"))
        .collect();
    let counts = ["events", "accepted", "refused", "gone", "unreachable", "interrupted", "failed"]
        .map(|name| format!("{name} = statistics_minutes.{name} + excluded.{name}"));
    format!(
        "INSERT INTO statistics_minutes (day, webhook_id, minute, events, accepted, refused, gone, unreachable,
                                         interrupted, failed, latency)
         SELECT day, webhook_id, minute, events, accepted, refused, gone, unreachable, interrupted, failed,
                latency::int[]
         FROM unnest($1::date[], $2::uuid[], $3::timestamptz[], $4::int[], $5::int[], $6::int[], $7::int[],
                     $8::int[], $9::int[], $10::int[], $11::text[])
              AS row (day, webhook_id, minute, events, accepted, refused, gone, unreachable, interrupted, failed,
                      latency)
         ON CONFLICT (day, webhook_id, minute) DO UPDATE SET {}, latency = ARRAY[{}]",
        counts.join(", "),
        latency.join(", ")
    )
});

/// Counts events and attempts, all of which are new.
pub(super) async fn count(
    transaction: &Transaction<'_>,
    events: &[&EventRow<'_>],
    attempted: &[&Attempted],
) -> Result<(), Error> {
    let tallies = tallies(events, attempted);
    if tallies.is_empty() {
        return Ok(());
    }
    let (keys, tallies): (Vec<_>, Vec<_>) = tallies.into_iter().unzip();
    let statement = transaction.prepare_cached(&INSERT).await?;
    transaction
        .execute(
            &statement,
            &[
                &column!(keys.iter(), key => key.0),
                &column!(keys.iter(), key => key.1.0),
                &column!(keys.iter(), key => key.2),
                &column!(tallies.iter(), tally => tally.events as i32),
                &column!(tallies.iter(), tally => tally.accepted as i32),
                &column!(tallies.iter(), tally => tally.refused as i32),
                &column!(tallies.iter(), tally => tally.gone as i32),
                &column!(tallies.iter(), tally => tally.unreachable as i32),
                &column!(tallies.iter(), tally => tally.interrupted as i32),
                &column!(tallies.iter(), tally => tally.failed as i32),
                &column!(tallies.iter(), tally => array(&tally.latency)),
            ],
        )
        .await?;
    Ok(())
}

fn tallies(events: &[&EventRow<'_>], attempted: &[&Attempted]) -> Tallies {
    let mut tallies = Tallies::new();
    let mut at = |webhook: WebhookId, time: Timestamp, count: &dyn Fn(&mut Tally)| {
        count(tallies.entry((day_of(time), webhook, minute_of(time))).or_default());
    };
    for row in events {
        for webhook in row.webhook_ids.iter().chain([&ALL_WEBHOOKS]) {
            at(*webhook, row.routed.received_at, &|tally| tally.events += 1);
        }
    }
    for attempted in attempted {
        for webhook in [attempted.webhook_id, ALL_WEBHOOKS] {
            at(webhook, attempted.started_at, &|tally| tally.attempt(attempted));
        }
    }
    tallies
}

fn minute_of(time: Timestamp) -> Timestamp {
    let second = time.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(time)
}

/// An array literal: `unnest` takes no arrays of arrays.
fn array(latency: &Latency) -> String {
    let counts: Vec<_> = latency.0.iter().map(ToString::to_string).collect();
    format!("{{{}}}", counts.join(","))
}
