//! Events as they were routed.

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_domain::{
    event::ContentDigest,
    id::{EventId, EventRef, WebhookId},
};
use posthorn_matching::event_type::TypePattern;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    conditions::like,
    error::StoreError,
    page::{Listing, Page, Place},
    store::History,
};

/// The most events of one id that are told apart.
const MOST_NAMESAKES: i64 = 20;

/// Which events are asked for.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only those with this id of their producer's, or this reference.
    pub id: Option<String>,
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
    /// What names it among the events of all companies.
    pub event_ref: EventRef,
    /// Its producer's id.
    pub id: EventId,
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
    /// What names it among the events of all companies.
    pub event_ref: EventRef,
    /// Its producer's id.
    pub id: EventId,
    /// What tells its content from others that came with the id.
    pub digest: ContentDigest,
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
    columns: "received_at, ref, id, type, company_id, project_id, occurred_at, cardinality(webhook_ids) AS webhooks",
    day: "received_on",
    time: "received_at",
    id: "ref",
};

impl History {
    /// Events, the latest first, behind a place.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn events(
        &self,
        filter: &EventFilter,
        behind: Option<&Place<Uuid>>,
        limit: usize,
    ) -> Result<Page<EventRow, Uuid>, StoreError> {
        let mut conditions = LISTING.between(filter.since, filter.until, behind);
        let only = filter.companies.as_ref().filter(|companies| companies.len() == 1);
        let company = filter.company.as_ref().or(only.map(|only| &only[0]));
        conditions.scan_if("company_id = {}", company.cloned());
        let event_ref = filter.id.as_deref().and_then(|id| id.parse::<EventRef>().ok());
        match event_ref {
            Some(event_ref) => {
                let (id, event_ref) = (conditions.value(filter.id.clone()), conditions.value(event_ref.0));
                conditions.scan(format!("(id = {id} OR ref = {event_ref})"));
            }
            None => conditions.scan_if("id = {}", filter.id.clone()),
        }
        conditions
            .filter_if("type LIKE {}", filter.event_type.as_ref().map(|pattern| like(pattern.as_str())));
        conditions.filter_if("project_id = {}", filter.project.clone());
        conditions.filter_if("company_id = ANY({})", filter.companies.clone());
        self.pool.page(&LISTING, &conditions, limit, |row| Ok(read_row(row))).await
    }

    /// One event, as it was recorded first. One that was published again on another day is there twice:
    /// its webhooks are those of both.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn event(&self, event: EventRef) -> Result<Option<EventRecord>, StoreError> {
        let query = "SELECT ref, id, digest, received_at, company_id, message,
                            ARRAY(SELECT DISTINCT unnest(webhook_ids) FROM events AS same
                                  WHERE same.ref = $1 AND same.digest = first.digest ORDER BY 1) AS webhook_ids
                     FROM events AS first WHERE ref = $1 ORDER BY received_on LIMIT 1";
        let client = self.pool.client().await?;
        let row =
            client.query_opt(query, &[&event.0]).await.map_err(StoreError::query("look the event up"))?;
        Ok(row.map(|row| EventRecord {
            event_ref: EventRef(row.get("ref")),
            id: EventId(row.get("id")),
            digest: ContentDigest(row.get("digest")),
            received_at: row.get("received_at"),
            company_id: row.get("company_id"),
            message: row.get::<_, Vec<u8>>("message").into(),
            webhook_ids: row.get::<_, Vec<Uuid>>("webhook_ids").into_iter().map(WebhookId).collect(),
        }))
    }

    /// The events that have this id of their producer's, each with its company, of these companies or of
    /// all; at most 20.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn events_called(
        &self,
        id: &str,
        companies: Option<&[String]>,
    ) -> Result<Vec<(EventRef, String)>, StoreError> {
        let select = |condition: &str| {
            format!(
                "SELECT DISTINCT company_id, ref FROM events WHERE {condition}
                 ORDER BY company_id LIMIT {MOST_NAMESAKES}"
            )
        };
        let client = self.pool.client().await?;
        let found = match companies {
            None => client.query(&select("id = $1"), &[&id]).await,
            Some(companies) => {
                let refs: Vec<_> = companies.iter().map(|company| EventRef::new(company, id).0).collect();
                client.query(&select("ref = ANY ($1)"), &[&refs]).await
            }
        };
        let found = found.map_err(StoreError::query("look the event up"))?;
        Ok(found.iter().map(|row| (EventRef(row.get(1)), row.get(0))).collect())
    }
}

fn read_row(row: &Row) -> EventRow {
    EventRow {
        event_ref: EventRef(row.get("ref")),
        id: EventId(row.get("id")),
        received_at: row.get("received_at"),
        event_type: row.get("type"),
        company_id: row.get("company_id"),
        project_id: row.get("project_id"),
        occurred_at: row.get("occurred_at"),
        webhooks: row.get::<_, i32>("webhooks").unsigned_abs() as usize,
    }
}
