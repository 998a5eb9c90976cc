//! Deliveries, seen through their attempts.

use std::net::IpAddr;

use jiff::Timestamp;
use posthorn_domain::{
    event::ContentDigest,
    id::{AttemptId, EventId, EventRef, WebhookId},
    outcome::{Outcome, OutcomeKind},
    step::Step,
};
use posthorn_matching::event_type::TypePattern;
use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use crate::{
    columns,
    conditions::like,
    error::StoreError,
    page::{Listing, Page, Place},
    store::History,
};

/// The most attempts of one delivery that are shown: the latest.
const MOST_ATTEMPTS: i64 = 200;

/// Which deliveries of a webhook are asked for.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only those whose latest attempt came to one of these.
    pub outcomes: Option<Vec<OutcomeKind>>,
    /// Only those whose latest attempt began since then.
    pub since: Option<Timestamp>,
    /// Only those whose latest attempt began before.
    pub until: Option<Timestamp>,
    /// Only of these event types.
    pub event_type: Option<TypePattern>,
    /// Only of these companies; `None` for all.
    pub companies: Option<Vec<String>>,
}

/// An attempt as people look at it.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// Its id.
    pub id: AttemptId,
    /// The event.
    pub event_ref: EventRef,
    /// Its producer's id.
    pub event_id: EventId,
    /// Which content of it was sent.
    pub digest: ContentDigest,
    /// The event's type.
    pub event_type: String,
    /// The event's company.
    pub company_id: String,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The webhook's epoch.
    pub epoch: i32,
    /// Counted from 1 in each epoch and each redelivery.
    pub attempt: i32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: i32,
    /// Looking the name up.
    pub dns_ms: Option<i32>,
    /// Connecting.
    pub connect_ms: Option<i32>,
    /// From then to the answer's headers.
    pub first_byte_ms: Option<i32>,
    /// What it came to.
    pub outcome: Outcome,
    /// Where it went, if there was no answer.
    pub address: Option<IpAddr>,
    /// The answer's headers, as far as they are kept.
    pub response_headers: Vec<(String, String)>,
    /// The beginning of the answer.
    pub response_body: Option<String>,
    /// What followed.
    pub step: Step<Timestamp>,
}

const COLUMNS: &str =
    "id, event_ref, event_id, digest, event_type, company_id, webhook_id, epoch, attempt, started_on, started_at,
    duration_ms, dns_ms, connect_ms, first_byte_ms, outcome, status, unreachable_class, error,
    address, response_headers, response_body, step, next_attempt_at";

/// That an attempt is its delivery's latest. Kept from becoming a join, which would read the whole table.
const IS_LATEST: &str = "(SELECT EXISTS (SELECT FROM attempts later
     WHERE later.event_ref = scanned.event_ref AND later.webhook_id = scanned.webhook_id
       AND later.digest = scanned.digest
       AND later.started_on >= scanned.started_on
       AND (later.started_at, later.id) > (scanned.started_at, scanned.id))) = false";

const LISTING: Listing = Listing {
    task: "list deliveries",
    table: "attempts",
    columns: COLUMNS,
    day: "started_on",
    time: "started_at",
    id: "id",
};

impl History {
    /// A webhook's deliveries of which an attempt was made, each by its latest; the latest first, behind
    /// a place.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn deliveries(
        &self,
        webhook: WebhookId,
        filter: &DeliveryFilter,
        behind: Option<&Place<Uuid>>,
        limit: usize,
    ) -> Result<Page<AttemptRecord, Uuid>, StoreError> {
        let mut conditions = LISTING.between(filter.since, filter.until, behind);
        conditions.scan_if("webhook_id = {}", Some(webhook.0));
        if filter.outcomes.as_ref().is_some_and(|outcomes| !outcomes.contains(&OutcomeKind::Accepted)) {
            // An index has only these.
            conditions.scan("outcome <> 'accepted'".to_owned());
        }
        let outcomes = filter.outcomes.as_ref();
        let words =
            outcomes.map(|outcomes| outcomes.iter().map(|outcome| outcome.label()).collect::<Vec<_>>());
        conditions.filter_if("outcome = ANY({})", words);
        let pattern = filter.event_type.as_ref().map(|pattern| like(pattern.as_str()));
        conditions.filter_if("event_type LIKE {}", pattern);
        conditions.filter_if("company_id = ANY({})", filter.companies.clone());
        conditions.filter(IS_LATEST);
        self.pool.page(&LISTING, &conditions, limit, read).await
    }

    /// All attempts of a delivery, of all contents of its event, the first first; of very many the latest.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn attempts(
        &self,
        event: EventRef,
        webhook: WebhookId,
    ) -> Result<Vec<AttemptRecord>, StoreError> {
        let query = format!(
            "SELECT {COLUMNS} FROM attempts WHERE event_ref = $1 AND webhook_id = $2
             ORDER BY started_at DESC, id DESC LIMIT {MOST_ATTEMPTS}"
        );
        let client = self.pool.client().await?;
        let rows = client.query(&query, &[&event.0, &webhook.0]).await;
        let rows = rows.map_err(StoreError::query("look at the attempts"))?;
        rows.iter().rev().map(read).collect()
    }

    /// The latest attempt of each delivery of one of an event's contents.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn latest_attempts(
        &self,
        event: EventRef,
        content: ContentDigest,
    ) -> Result<Vec<AttemptRecord>, StoreError> {
        let query = format!(
            "SELECT DISTINCT ON (webhook_id) {COLUMNS} FROM attempts WHERE event_ref = $1 AND digest = $2
             ORDER BY webhook_id, started_at DESC, id DESC"
        );
        let client = self.pool.client().await?;
        let rows = client.query(&query, &[&event.0, &content.0]).await;
        rows.map_err(StoreError::query("look at the attempts"))?.iter().map(read).collect()
    }

    /// Since when the delivery waits that has waited longest, of those that have failed and will be tried
    /// again and, of the latest events, of those that were never tried; `None` if there is none.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn oldest_waiting(&self, webhook: WebhookId) -> Result<Option<Timestamp>, StoreError> {
        // Events come before attempts, as where partitions are made: else the two could deadlock.
        let query = format!(
            "SELECT least(
                 (SELECT min(received_at) FROM
                     (SELECT ref, digest, received_on, received_at, webhook_ids FROM events
                      ORDER BY received_at DESC, ref DESC LIMIT 1000) AS scanned
                  WHERE $1 = ANY (webhook_ids)
                    AND (SELECT EXISTS (SELECT FROM attempts
                                        WHERE event_ref = scanned.ref AND webhook_id = $1
                                          AND attempts.digest = scanned.digest
                                          AND started_on >= scanned.received_on)) = false),
                 (SELECT min(started_at) FROM
                     (SELECT event_ref, digest, webhook_id, started_on, started_at, id, step FROM attempts
                      WHERE webhook_id = $1 AND outcome <> 'accepted'
                      ORDER BY started_at DESC, id DESC LIMIT 500) AS scanned
                  WHERE step = 'retry' AND {IS_LATEST}))"
        );
        let client = self.pool.client().await?;
        let row = client.query_one(&query, &[&webhook.0]).await;
        Ok(row.map_err(StoreError::query("look for what waits"))?.get(0))
    }
}

fn read(row: &Row) -> Result<AttemptRecord, StoreError> {
    let headers: Option<Json<Vec<(String, String)>>> = row.get("response_headers");
    let id: Uuid = row.get("id");
    let unreadable = || StoreError::unreadable(format!("attempt {id}"));
    Ok(AttemptRecord {
        id: AttemptId(id),
        event_ref: EventRef(row.get("event_ref")),
        event_id: EventId(row.get("event_id")),
        digest: ContentDigest(row.get("digest")),
        event_type: row.get("event_type"),
        company_id: row.get("company_id"),
        webhook_id: WebhookId(row.get("webhook_id")),
        epoch: row.get("epoch"),
        attempt: row.get("attempt"),
        started_at: row.get("started_at"),
        duration_ms: row.get("duration_ms"),
        dns_ms: row.get("dns_ms"),
        connect_ms: row.get("connect_ms"),
        first_byte_ms: row.get("first_byte_ms"),
        outcome: columns::outcome(row).map_err(unreadable())?,
        address: row.get("address"),
        response_headers: headers.map(|Json(headers)| headers).unwrap_or_default(),
        response_body: row.get("response_body"),
        step: columns::step(row).map_err(unreadable())?,
    })
}
