//! The audit log. Changes to webhooks, tokens and the catalogue are written into it by triggers; whatever
//! else a person does is noted here, in the transaction that does it.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use serde_json::{Value, value::RawValue};
use tokio_postgres::{
    Error, Row,
    types::{Json, ToSql},
};
use uuid::Uuid;

use crate::{actor::Actor, error::StoreError, store::Access};

/// One thing that somebody did.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// Rises.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// With which token, if it was one.
    pub token_id: Option<Uuid>,
    /// Who.
    pub actor: String,
    /// The id of the request.
    pub request_id: Option<String>,
    /// What.
    pub action: String,
    /// To what kind of thing.
    pub subject: String,
    /// To which.
    pub subject_id: String,
    /// What it was.
    pub before: Option<Box<RawValue>>,
    /// What it is.
    pub after: Option<Box<RawValue>>,
}

/// Notes what somebody does, in the transaction that does it.
pub(crate) async fn note(
    transaction: &impl GenericClient,
    actor: &Actor,
    subject: &str,
    subject_id: &str,
    after: Option<&Value>,
) -> Result<(), Error> {
    let insert = "INSERT INTO audit_log (token_id, actor, request_id, action, subject, subject_id, after)
                  VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (action, after) = (actor.action, after.map(Json));
    let params: [&(dyn ToSql + Sync); 7] =
        [&actor.token_id, &actor.name, &actor.request_id, &action, &subject, &subject_id, &after];
    transaction.execute(insert, &params).await.map(|_| ())
}

impl Access {
    /// Notes what somebody is about to do that changes nothing in the database.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn note(
        &self,
        actor: &Actor,
        subject: &str,
        subject_id: &str,
        after: Option<&Value>,
    ) -> Result<(), StoreError> {
        let client = self.pool.client().await?;
        let noted = note(&client, actor, subject, subject_id, after).await;
        noted.map_err(StoreError::query("write the audit log"))
    }

    /// What was done before entry `before`, the latest first, at most `limit`; to one thing, if it is given.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn audit_log(
        &self,
        before: Option<i64>,
        subject_id: Option<&str>,
        limit: i64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let query = "SELECT id, at, token_id, actor, request_id, action, subject, subject_id, before, after
                     FROM audit_log
                     WHERE ($1::bigint IS NULL OR id < $1) AND ($2::text IS NULL OR subject_id = $2)
                     ORDER BY id DESC LIMIT $3";
        let client = self.pool.client().await?;
        let rows = client.query(query, &[&before, &subject_id, &limit]).await;
        Ok(rows.map_err(StoreError::query("read the audit log"))?.iter().map(read).collect())
    }
}

fn read(row: &Row) -> AuditEntry {
    AuditEntry {
        id: row.get("id"),
        at: row.get("at"),
        token_id: row.get("token_id"),
        actor: row.get("actor"),
        request_id: row.get("request_id"),
        action: row.get("action"),
        subject: row.get("subject"),
        subject_id: row.get("subject_id"),
        before: read_json(row, "before"),
        after: read_json(row, "after"),
    }
}

/// As the database writes it: a JSON value would round its numbers.
fn read_json(row: &Row, column: &str) -> Option<Box<RawValue>> {
    row.get::<_, Option<Json<Box<RawValue>>>>(column).map(|Json(json)| json)
}
