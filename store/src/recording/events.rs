//! Rows of `events`, and of `event_conflicts`: what came with the id of another event and other content.
//!
//! A company's id names one event. Whatever is recorded first under it stays; the same once more adds
//! the webhooks that were found then, and other content becomes a conflict, which loses nothing.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use deadpool_postgres::Transaction;
use jiff::{Timestamp, civil::Date};
use posthorn_domain::{
    event::{ContentDigest, Event},
    id::{EventRef, WebhookId},
    journal::Routed,
    moment::Moment,
};
use tokio_postgres::Error;
use uuid::Uuid;

use super::rows::{clean, column};
use crate::days::day_of;

/// A row to be.
pub(super) struct EventRow<'a> {
    pub(super) event: Event,
    pub(super) event_ref: EventRef,
    pub(super) routed: &'a Routed,
    pub(super) webhook_ids: Vec<WebhookId>,
    digest: ContentDigest,
    day: Date,
}

/// What was new among the rows.
#[derive(Default)]
pub(super) struct NewRows<'a> {
    pub(super) events: Vec<EventRow<'a>>,
    pub(super) conflicts: Vec<EventRow<'a>>,
}

/// An event's place in the table.
type Key = (Date, EventRef);

impl EventRow<'_> {
    fn key(&self) -> Key {
        (self.day, self.event_ref)
    }
}

/// One row for each content, with all the webhooks that were found for it: what is routed twice,
/// because a router fell or its producer published again, is one event. In the order of keys, and of
/// arrival within one.
pub(super) fn rows<'a>(routed: &[&'a Routed]) -> Vec<EventRow<'a>> {
    let mut rows: BTreeMap<(Key, ContentDigest), EventRow<'_>> = BTreeMap::new();
    for routed in routed {
        // What a router has routed decodes; were it not so, there would be nothing to file it under.
        let Ok(event) = Event::decode(&routed.message, usize::MAX) else {
            tracing::error!("the journal holds a routed event that does not decode: it is left out");
            continue;
        };
        let (day, event_ref, digest) = (day_of(routed.received_at), event.event_ref(), event.digest());
        let row = EventRow { event, event_ref, routed, webhook_ids: Vec::new(), digest, day };
        let row = rows.entry((row.key(), digest)).or_insert(row);
        if routed.received_at < row.routed.received_at {
            row.routed = routed;
        }
        row.webhook_ids.extend(&routed.webhook_ids);
        row.webhook_ids.sort_unstable();
        row.webhook_ids.dedup();
    }
    let mut rows: Vec<_> = rows.into_values().collect();
    rows.sort_by_key(|row| (row.key(), row.routed.received_at));
    rows
}

/// Writes rows and answers those that are new.
pub(super) async fn write<'a>(
    transaction: &Transaction<'_>,
    rows: Vec<EventRow<'a>>,
) -> Result<NewRows<'a>, Error> {
    let (firsts, others) = firsts(rows);
    let Written { new: events, mut known } = insert(transaction, &EVENTS, firsts).await?;
    known.extend(others);
    if known.is_empty() {
        return Ok(NewRows { events, conflicts: Vec::new() });
    }
    let kept = kept(transaction, &known).await?;
    let (same, conflicts): (Vec<_>, Vec<_>) =
        known.into_iter().partition(|row| kept.get(&row.key()) == Some(&row.digest));
    insert(transaction, &EVENTS, same).await?;
    let Written { new: conflicts, .. } = insert(transaction, &CONFLICTS, conflicts).await?;
    Ok(NewRows { events, conflicts })
}

/// The first row of each key, and all others.
fn firsts(rows: Vec<EventRow<'_>>) -> (Vec<EventRow<'_>>, Vec<EventRow<'_>>) {
    let mut last = None;
    rows.into_iter().partition(|row| last.replace(row.key()) != Some(row.key()))
}

/// The digest of the content that the table holds under each key.
async fn kept(
    transaction: &Transaction<'_>,
    rows: &[EventRow<'_>],
) -> Result<HashMap<Key, ContentDigest>, Error> {
    let query = "SELECT received_on, ref, digest FROM events
                 JOIN unnest($1::date[], $2::uuid[]) AS key (day, event) ON received_on = day AND ref = event";
    let statement = transaction.prepare_cached(query).await?;
    let (days, refs) = (column!(rows.iter(), row => row.day), column!(rows.iter(), row => row.event_ref.0));
    let found = transaction.query(&statement, &[&days, &refs]).await?;
    let key = |row: &tokio_postgres::Row| (row.get(0), EventRef(row.get(1)));
    Ok(found.iter().map(|row| (key(row), ContentDigest(row.get(2)))).collect())
}

/// Inserts a table's rows; one that is there with the same content gains webhooks.
struct Insert(&'static str);

static EVENTS: Insert = Insert(
    "INSERT INTO events AS known (received_on, ref, digest, id, received_at, type, company_id, project_id,
                                  occurred_at, message, webhook_ids)
     SELECT received_on, ref, digest, id, received_at, type, company_id, project_id, occurred_at, message,
            webhook_ids::uuid[]
     FROM unnest($1::date[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],
                 $8::text[], $9::timestamptz[], $10::bytea[], $11::text[])
          AS row (received_on, ref, digest, id, received_at, type, company_id, project_id, occurred_at, message,
                  webhook_ids)
     ON CONFLICT (ref, received_on) DO UPDATE
     SET webhook_ids = ARRAY(SELECT DISTINCT unnest(known.webhook_ids || excluded.webhook_ids))
     WHERE known.digest = excluded.digest AND NOT known.webhook_ids @> excluded.webhook_ids
     RETURNING received_on, ref, digest, received_at",
);

static CONFLICTS: Insert = Insert(
    "INSERT INTO event_conflicts AS known (received_on, event_ref, digest, event_id, received_at, type, company_id,
                                           project_id, occurred_at, message, webhook_ids)
     SELECT received_on, event_ref, digest, event_id, received_at, type, company_id, project_id, occurred_at,
            message, webhook_ids::uuid[]
     FROM unnest($1::date[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],
                 $8::text[], $9::timestamptz[], $10::bytea[], $11::text[])
          AS row (received_on, event_ref, digest, event_id, received_at, type, company_id, project_id, occurred_at,
                  message, webhook_ids)
     ON CONFLICT (event_ref, digest, received_on) DO UPDATE
     SET webhook_ids = ARRAY(SELECT DISTINCT unnest(known.webhook_ids || excluded.webhook_ids))
     WHERE NOT known.webhook_ids @> excluded.webhook_ids
     RETURNING received_on, event_ref, digest, received_at",
);

/// What became of rows that were inserted.
struct Written<'a> {
    new: Vec<EventRow<'a>>,
    /// Those of a key that the table held before.
    known: Vec<EventRow<'a>>,
}

async fn insert<'a>(
    transaction: &Transaction<'_>,
    insert: &Insert,
    rows: Vec<EventRow<'a>>,
) -> Result<Written<'a>, Error> {
    if rows.is_empty() {
        return Ok(Written { new: Vec::new(), known: Vec::new() });
    }
    let statement = transaction.prepare_cached(insert.0).await?;
    let written = transaction
        .query(
            &statement,
            &[
                &column!(rows.iter(), row => row.day),
                &column!(rows.iter(), row => row.event_ref.0),
                &column!(rows.iter(), row => row.digest.0),
                &column!(rows.iter(), row => row.event.id.as_str()),
                &column!(rows.iter(), row => row.routed.received_at),
                &column!(rows.iter(), row => row.event.event_type.as_str()),
                &column!(rows.iter(), row => clean(&row.event.company_id)),
                &column!(rows.iter(), row => clean(&row.event.project_id)),
                &column!(rows.iter(), row => row.event.occurred_at.map(Moment::timestamp)),
                &column!(rows.iter(), row => Bytes::as_ref(&row.routed.message)),
                &column!(rows.iter(), row => array(&row.webhook_ids)),
            ],
        )
        .await?;
    let written: HashMap<(Date, Uuid, Uuid), Timestamp> =
        written.iter().map(|row| ((row.get(0), row.get(1), row.get(2)), row.get(3))).collect();
    // One that was there already answers the time of its first row.
    let is_new = |row: &EventRow<'_>| {
        let at = written.get(&(row.day, row.event_ref.0, row.digest.0));
        at.is_some_and(|at| at.as_microsecond() == row.routed.received_at.as_microsecond())
    };
    let (new, known) = rows.into_iter().partition(is_new);
    Ok(Written { new, known })
}

/// An array literal: `unnest` takes no arrays of arrays of different lengths.
fn array(webhooks: &[WebhookId]) -> String {
    let ids: Vec<_> = webhooks.iter().map(|id| id.0.to_string()).collect();
    format!("{{{}}}", ids.join(","))
}
