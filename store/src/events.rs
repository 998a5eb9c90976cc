//! Events as they were routed.

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_domain::{event_type::TypePattern, id::WebhookId};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    conditions::like,
    connect::Store,
    error::StoreError,
    page::{Listing, Page, Place},
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

const LISTING: Listing = Listing {
    task: "list events",
    table: "events",
    columns: "received_at, id, type, company_id, project_id, occurred_at, cardinality(webhook_ids) AS webhooks",
    day: "received_on",
    time: "received_at",
};

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
        let mut conditions = LISTING.between(filter.since, filter.until, behind);
        let only = filter.companies.as_ref().filter(|companies| companies.len() == 1);
        let company = filter.company.as_ref().or(only.map(|only| &only[0]));
        conditions.scan_if("company_id = {}", company.cloned());
        conditions
            .filter_if("type LIKE {}", filter.event_type.as_ref().map(|pattern| like(pattern.as_str())));
        conditions.filter_if("project_id = {}", filter.project.clone());
        conditions.filter_if("company_id = ANY({})", filter.companies.clone());
        self.page(&LISTING, &conditions, limit, read_row).await
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
