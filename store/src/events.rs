//! Events as they were routed.

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_domain::{event_type::TypePattern, id::WebhookId};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    conditions::{Conditions, like},
    connect::Store,
    error::StoreError,
    page::{MOST_SCANNED, Page, Place},
    partitions::day_of,
};

/// Which events are asked for.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only of these types.
    pub event_type: Option<TypePattern>,
    /// Only of this company.
    pub company: Option<String>,
    /// Only of this project.
    pub project: Option<String>,
    /// Only those received since then.
    pub since: Option<Timestamp>,
    /// Only those received before.
    pub until: Option<Timestamp>,
    /// Only of these companies; `None` for all.
    pub companies: Option<Vec<String>>,
}

/// An event as lists show it.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Its id.
    pub id: String,
    /// When a router took it.
    pub received_at: Timestamp,
    /// Its type.
    pub event_type: String,
    /// Its company.
    pub company_id: String,
    /// Its project; empty for none.
    pub project_id: String,
    /// When it happened, if its producer said so.
    pub occurred_at: Option<Timestamp>,
    /// How many webhooks wanted it.
    pub webhooks: usize,
}

/// An event with all that is kept of it.
#[derive(Debug, Clone)]
pub struct EventRecord {
    /// Its id.
    pub id: String,
    /// When a router took it.
    pub received_at: Timestamp,
    /// Its company.
    pub company_id: String,
    /// The producer's original bytes.
    pub message: Bytes,
    /// The webhooks that wanted it.
    pub webhook_ids: Vec<WebhookId>,
}

impl Store {
    /// Events, the latest first, behind a place.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn events(
        &self,
        filter: &EventFilter,
        behind: Option<&Place<String>>,
        limit: usize,
    ) -> Result<Page<EventRow, String>, StoreError> {
        let task = "list events";
        let mut scan = Conditions::default();
        scan.add_if("received_on >= {}", filter.since.map(day_of));
        scan.add_if("received_at >= {}", filter.since);
        scan.add_if("received_on <= {}", filter.until.map(day_of));
        scan.add_if("received_at < {}", filter.until);
        let only = filter.companies.as_ref().filter(|companies| companies.len() == 1);
        let company = filter.company.as_ref().or(only.map(|only| &only[0]));
        scan.add_if("company_id = {}", company.cloned());
        if let Some(place) = behind {
            let (day, at, id) =
                (scan.value(day_of(place.at)), scan.value(place.at), scan.value(place.id.clone()));
            scan.add(format!("received_on <= {day} AND (received_at, id) < ({at}, {id})"));
        }
        let scanned = scan.all();
        let scan_values = scan.values().len();
        let mut filters = vec!["true".to_owned()];
        if let Some(pattern) = &filter.event_type {
            filters.push(format!("type LIKE {}", scan.value(like(pattern.as_str()))));
        }
        if let Some(project) = &filter.project {
            filters.push(format!("project_id = {}", scan.value(project.clone())));
        }
        if let Some(companies) = &filter.companies {
            filters.push(format!("company_id = ANY({})", scan.value(companies.clone())));
        }
        let filters = filters.join(" AND ");
        // The inner query gives rows in order, one by one, as long as the outer one wants more.
        let query = format!(
            "SELECT * FROM (SELECT received_at, id, type, company_id, project_id, occurred_at,
                                   cardinality(webhook_ids) AS webhooks
                            FROM events WHERE {scanned}
                            ORDER BY received_at DESC, id DESC LIMIT {MOST_SCANNED}) AS scanned
             WHERE {filters} LIMIT {limit}"
        );
        let client = self.client().await?;
        let rows = client.query(&query, &scan.values()).await.map_err(StoreError::query(task))?;
        let rows: Vec<_> = rows.iter().map(read_row).collect();
        if rows.len() == limit {
            let next = rows.last().map(|row| Place { at: row.received_at, id: row.id.clone() });
            return Ok(Page { rows, next });
        }
        let query = format!(
            "SELECT received_at, id FROM events WHERE {scanned}
             ORDER BY received_at DESC, id DESC OFFSET {MOST_SCANNED} - 1 LIMIT 1"
        );
        let end = client.query_opt(&query, &scan.values()[..scan_values]).await;
        let end = end.map_err(StoreError::query(task))?;
        let next = end.map(|row| Place { at: row.get(0), id: row.get(1) });
        Ok(Page { rows, next })
    }

    /// One event. One that was published again on another day is there twice: the latest.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn event(&self, id: &str) -> Result<Option<EventRecord>, StoreError> {
        let query = "SELECT id, received_at, company_id, message, webhook_ids FROM events WHERE id = $1
                     ORDER BY received_on DESC LIMIT 1";
        let client = self.client().await?;
        let row = client.query_opt(query, &[&id]).await.map_err(StoreError::query("look the event up"))?;
        Ok(row.map(|row| EventRecord {
            id: row.get("id"),
            received_at: row.get("received_at"),
            company_id: row.get("company_id"),
            message: row.get::<_, Vec<u8>>("message").into(),
            webhook_ids: row.get::<_, Vec<Uuid>>("webhook_ids").into_iter().map(WebhookId).collect(),
        }))
    }
}

fn read_row(row: &Row) -> EventRow {
    EventRow {
        id: row.get("id"),
        received_at: row.get("received_at"),
        event_type: row.get("type"),
        company_id: row.get("company_id"),
        project_id: row.get("project_id"),
        occurred_at: row.get("occurred_at"),
        webhooks: row.get::<_, i32>("webhooks").unsigned_abs() as usize,
    }
}
