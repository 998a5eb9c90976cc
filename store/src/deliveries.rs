//! Deliveries, seen through their attempts.

use jiff::Timestamp;
use posthorn_domain::{event_type::TypePattern, id::WebhookId};
use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use crate::{
    conditions::{Conditions, like},
    connect::Store,
    error::StoreError,
    page::{MOST_SCANNED, Page, Place},
    partitions::day_of,
};

/// The most attempts of one delivery that are shown: the latest.
const MOST_ATTEMPTS: i64 = 200;

/// Which deliveries of a webhook are asked for.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only those whose latest attempt came to one of these.
    pub outcomes: Option<Vec<String>>,
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
    pub id: Uuid,
    /// The event.
    pub event_id: String,
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
    /// In a word.
    pub outcome: String,
    /// The HTTP status.
    pub status: Option<i16>,
    /// Why there was no answer.
    pub unreachable_class: Option<String>,
    /// The same in words.
    pub error: Option<String>,
    /// The answer's headers, as far as they are kept.
    pub response_headers: Vec<(String, String)>,
    /// The beginning of the answer.
    pub response_body: Option<String>,
    /// What followed.
    pub step: String,
    /// When the next one is due.
    pub next_attempt_at: Option<Timestamp>,
}

const COLUMNS: &str =
    "id, event_id, event_type, company_id, webhook_id, epoch, attempt, started_on, started_at,
    duration_ms, dns_ms, connect_ms, first_byte_ms, outcome, status, unreachable_class, error,
    response_headers, response_body, step, next_attempt_at";

/// That an attempt is its delivery's latest. Kept from becoming a join, which would read the whole table.
const IS_LATEST: &str = "(SELECT EXISTS (SELECT FROM attempts later
     WHERE later.event_id = scanned.event_id AND later.webhook_id = scanned.webhook_id
       AND later.started_on >= scanned.started_on
       AND (later.started_at, later.id) > (scanned.started_at, scanned.id))) = false";

impl Store {
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
        let task = "list deliveries";
        let mut scan = Conditions::default();
        scan.add_if("webhook_id = {}", Some(webhook.0));
        scan.add_if("started_on >= {}", filter.since.map(day_of));
        scan.add_if("started_at >= {}", filter.since);
        scan.add_if("started_on <= {}", filter.until.map(day_of));
        scan.add_if("started_at < {}", filter.until);
        if let Some(outcomes) = &filter.outcomes {
            if !outcomes.iter().any(|outcome| outcome == "accepted") {
                // An index has only these.
                scan.add("outcome <> 'accepted'".to_owned());
            }
            scan.add_if("outcome = ANY({})", Some(outcomes.clone()));
        }
        if let Some(place) = behind {
            let (day, at, id) = (scan.value(day_of(place.at)), scan.value(place.at), scan.value(place.id));
            scan.add(format!("started_on <= {day} AND (started_at, id) < ({at}, {id})"));
        }
        let scanned = scan.all();
        let scan_values = scan.values().len();
        let mut filters = vec![IS_LATEST.to_owned()];
        if let Some(pattern) = &filter.event_type {
            filters.push(format!("event_type LIKE {}", scan.value(like(pattern.as_str()))));
        }
        if let Some(companies) = &filter.companies {
            filters.push(format!("company_id = ANY({})", scan.value(companies.clone())));
        }
        filters.reverse();
        let filters = filters.join(" AND ");
        // The inner query gives rows in order, one by one, as long as the outer one wants more.
        let query = format!(
            "SELECT * FROM (SELECT {COLUMNS} FROM attempts WHERE {scanned}
                            ORDER BY started_at DESC, id DESC LIMIT {MOST_SCANNED}) AS scanned
             WHERE {filters} LIMIT {limit}"
        );
        let client = self.client().await?;
        let rows = client.query(&query, &scan.values()).await.map_err(StoreError::query(task))?;
        let rows: Vec<_> = rows.iter().map(read).collect();
        if rows.len() == limit {
            let next = rows.last().map(|row| Place { at: row.started_at, id: row.id });
            return Ok(Page { rows, next });
        }
        let query = format!(
            "SELECT started_at, id FROM attempts WHERE {scanned}
             ORDER BY started_at DESC, id DESC OFFSET {MOST_SCANNED} - 1 LIMIT 1"
        );
        let end = client.query_opt(&query, &scan.values()[..scan_values]).await;
        let end = end.map_err(StoreError::query(task))?;
        let next = end.map(|row| Place { at: row.get(0), id: row.get(1) });
        Ok(Page { rows, next })
    }

    /// All attempts of a delivery, the first first; of very many the latest.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn attempts(
        &self,
        event_id: &str,
        webhook: WebhookId,
    ) -> Result<Vec<AttemptRecord>, StoreError> {
        let query = format!(
            "SELECT {COLUMNS} FROM attempts WHERE event_id = $1 AND webhook_id = $2
             ORDER BY started_at DESC, id DESC LIMIT {MOST_ATTEMPTS}"
        );
        let client = self.client().await?;
        let rows = client.query(&query, &[&event_id, &webhook.0]).await;
        let rows = rows.map_err(StoreError::query("look at the attempts"))?;
        Ok(rows.iter().rev().map(read).collect())
    }

    /// The latest attempt of each of an event's deliveries.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn latest_attempts(&self, event_id: &str) -> Result<Vec<AttemptRecord>, StoreError> {
        let query = format!(
            "SELECT DISTINCT ON (webhook_id) {COLUMNS} FROM attempts WHERE event_id = $1
             ORDER BY webhook_id, started_at DESC, id DESC"
        );
        let client = self.client().await?;
        let rows = client.query(&query, &[&event_id]).await;
        Ok(rows.map_err(StoreError::query("look at the attempts"))?.iter().map(read).collect())
    }

    /// Since when the delivery waits that has waited longest of those that will be tried again; `None`
    /// if there is none.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn oldest_retry(&self, webhook: WebhookId) -> Result<Option<Timestamp>, StoreError> {
        // Of the latest failures only: more than these say nothing new of a webhook that fails so often.
        let query = format!(
            "SELECT min(started_at) FROM
                 (SELECT event_id, webhook_id, started_on, started_at, id, step FROM attempts
                  WHERE webhook_id = $1 AND outcome <> 'accepted'
                  ORDER BY started_at DESC, id DESC LIMIT 500) AS scanned
             WHERE step = 'retry' AND {IS_LATEST}"
        );
        let client = self.client().await?;
        let row = client.query_one(&query, &[&webhook.0]).await;
        Ok(row.map_err(StoreError::query("look for what waits"))?.get(0))
    }
}

fn read(row: &Row) -> AttemptRecord {
    let headers: Option<Json<Vec<(String, String)>>> = row.get("response_headers");
    AttemptRecord {
        id: row.get("id"),
        event_id: row.get("event_id"),
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
        outcome: row.get("outcome"),
        status: row.get("status"),
        unreachable_class: row.get("unreachable_class"),
        error: row.get("error"),
        response_headers: headers.map(|Json(headers)| headers).unwrap_or_default(),
        response_body: row.get("response_body"),
        step: row.get("step"),
        next_attempt_at: row.get("next_attempt_at"),
    }
}
