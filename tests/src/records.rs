//! What the recorder has written, read from Postgres.

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    Webhook,
    database::{Database, uuid_of},
    eventually,
};

/// A row of `attempts`.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are the columns")]
pub struct Attempt {
    pub event_id: String,
    pub epoch: i32,
    pub attempt: i32,
    pub started_at: Timestamp,
    pub duration_ms: i32,
    pub outcome: String,
    pub status: Option<i32>,
    pub unreachable_class: Option<String>,
    pub error: Option<String>,
    pub response_body: Option<String>,
    pub step: String,
    pub next_attempt_at: Option<Timestamp>,
}

/// A row of `rejected_events`.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are the columns")]
pub struct RejectedEvent {
    pub field: String,
    pub reason: String,
    pub routing_key: String,
    pub message_id: String,
    pub size: i64,
    pub message: Vec<u8>,
}

/// A row of `events`.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are the columns")]
pub struct StoredEvent {
    pub event_type: String,
    pub company_id: String,
    pub project_id: String,
    pub occurred_at: Option<Timestamp>,
    pub received_at: Timestamp,
    pub message: Vec<u8>,
    pub webhook_ids: Vec<Uuid>,
}

impl Database {
    /// The attempts for a webhook, in order.
    pub async fn attempts(&self, webhook: &Webhook) -> Vec<Attempt> {
        let sql = "SELECT event_id, epoch::int4, attempt::int4, started_at, duration_ms::int4, outcome::text,
                          status::int4, unreachable_class::text, error, response_body, step::text, next_attempt_at
                   FROM attempts WHERE webhook_id = $1 ORDER BY started_at, attempt";
        self.query(sql, &[&uuid_of(&webhook.id)]).await.iter().map(attempt).collect()
    }

    /// Waits until so many attempts for a webhook are recorded, and returns them.
    pub async fn records_attempts(&self, webhook: &Webhook, count: usize) -> Vec<Attempt> {
        let what = format!("{count} attempts for {} are recorded", webhook.url);
        eventually(&what, async || Some(self.attempts(webhook).await).filter(|rows| rows.len() >= count))
            .await
    }

    /// All rejected events, in order.
    pub async fn rejected_events(&self) -> Vec<RejectedEvent> {
        let sql =
            "SELECT field, reason, coalesce(routing_key, ''), coalesce(message_id, ''), size::int8, message
                   FROM rejected_events ORDER BY rejected_at, id";
        self.query(sql, &[]).await.iter().map(rejected).collect()
    }

    /// The rows of an event: one, unless something is wrong.
    pub async fn stored_events(&self, id: &str) -> Vec<StoredEvent> {
        let sql = "SELECT type, company_id, project_id, occurred_at, received_at, message, webhook_ids
                   FROM events WHERE id = $1";
        self.query(sql, &[&id]).await.iter().map(stored).collect()
    }

    /// Waits until the event is recorded, and returns its row.
    pub async fn records_event(&self, id: &str) -> StoredEvent {
        eventually(&format!("event {id} is recorded"), async || self.stored_events(id).await.pop()).await
    }
}

fn attempt(row: &Row) -> Attempt {
    Attempt {
        event_id: row.get(0),
        epoch: row.get(1),
        attempt: row.get(2),
        started_at: row.get(3),
        duration_ms: row.get(4),
        outcome: row.get(5),
        status: row.get(6),
        unreachable_class: row.get(7),
        error: row.get(8),
        response_body: row.get(9),
        step: row.get(10),
        next_attempt_at: row.get(11),
    }
}

fn rejected(row: &Row) -> RejectedEvent {
    RejectedEvent {
        field: row.get(0),
        reason: row.get(1),
        routing_key: row.get(2),
        message_id: row.get(3),
        size: row.get(4),
        message: row.get(5),
    }
}

fn stored(row: &Row) -> StoredEvent {
    StoredEvent {
        event_type: row.get(0),
        company_id: row.get(1),
        project_id: row.get(2),
        occurred_at: row.get(3),
        received_at: row.get(4),
        message: row.get(5),
        webhook_ids: row.get(6),
    }
}
