//! Conflicts: content that came with the id of another event of its company.

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_domain::{
    event::ContentDigest,
    id::{EventRef, WebhookId},
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    error::StoreError,
    page::{Listing, Page, Place},
    store::History,
};

/// The most conflicts of one event that are shown: the first.
const MOST_OF_ONE: i64 = 20;

/// Which conflicts are asked for.
#[derive(Debug, Clone, Default)]
pub struct ConflictFilter {
    /// Only of this company.
    pub company: Option<String>,
    /// Only those received since then.
    pub since: Option<Timestamp>,
    /// Only those received before.
    pub until: Option<Timestamp>,
    /// Only of these companies; `None` for all.
    pub companies: Option<Vec<String>>,
}

/// Content that came with the id of another event of its company.
#[derive(Debug, Clone)]
pub struct ConflictRecord {
    /// The event whose id it came with.
    pub event_ref: EventRef,
    /// What tells the content from the event's.
    pub digest: ContentDigest,
    /// When a router took it.
    pub received_at: Timestamp,
    /// The producer's original bytes.
    pub message: Bytes,
    /// The webhooks that wanted it, and got it.
    pub webhook_ids: Vec<WebhookId>,
}

const LISTING: Listing = Listing {
    task: "list conflicts",
    table: "event_conflicts",
    columns: "received_at, event_ref, digest, company_id, message, webhook_ids",
    day: "received_on",
    time: "received_at",
    id: "digest",
};

impl History {
    /// Conflicts, the latest first, behind a place.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn conflicts(
        &self,
        filter: &ConflictFilter,
        behind: Option<&Place<Uuid>>,
        limit: usize,
    ) -> Result<Page<ConflictRecord, Uuid>, StoreError> {
        let mut conditions = LISTING.between(filter.since, filter.until, behind);
        let only = filter.companies.as_ref().filter(|companies| companies.len() == 1);
        let company = filter.company.as_ref().or(only.map(|only| &only[0]));
        conditions.scan_if("company_id = {}", company.cloned());
        conditions.filter_if("company_id = ANY({})", filter.companies.clone());
        self.pool.page(&LISTING, &conditions, limit, |row| Ok(read(row))).await
    }

    /// The conflicts of an event, the first first: of its own day, and of other days on which its id came
    /// again.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn conflicts_of(
        &self,
        event: EventRef,
        content: ContentDigest,
    ) -> Result<Vec<ConflictRecord>, StoreError> {
        let query = "SELECT * FROM (
                         SELECT DISTINCT ON (digest) received_at, event_ref, digest, message, webhook_ids FROM (
                             SELECT received_at, event_ref, digest, message, webhook_ids
                             FROM event_conflicts WHERE event_ref = $1
                             UNION ALL
                             SELECT received_at, ref, digest, message, webhook_ids FROM events WHERE ref = $1) AS came
                         WHERE digest <> $2 ORDER BY digest, received_at) AS conflict
                     ORDER BY received_at LIMIT $3";
        let client = self.pool.client().await?;
        let rows = client.query(query, &[&event.0, &content.0, &MOST_OF_ONE]).await;
        Ok(rows.map_err(StoreError::query("look for conflicts"))?.iter().map(read).collect())
    }
}

fn read(row: &Row) -> ConflictRecord {
    ConflictRecord {
        event_ref: EventRef(row.get("event_ref")),
        digest: ContentDigest(row.get("digest")),
        received_at: row.get("received_at"),
        message: row.get::<_, Vec<u8>>("message").into(),
        webhook_ids: row.get::<_, Vec<Uuid>>("webhook_ids").into_iter().map(WebhookId).collect(),
    }
}
