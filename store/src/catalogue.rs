//! The catalogue: event types, companies and projects, for people to choose from.
//!
//! What events name is added when it is first seen (`seen`); people describe it. Lists come in the
//! order of their keys, a page at a time, those after the last key of the page before.

use serde_json::value::RawValue;
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{actor::Actor, connect::Pool, error::StoreError};

mod companies;
mod event_types;
mod projects;

/// An event type.
#[derive(Debug, Clone)]
pub struct EventType {
    /// Such as `todo.created`.
    pub name: String,
    /// What people say about it.
    pub described: EventTypeDescription,
    /// Rises with every change; compiled schemas are kept by it.
    pub revision: i64,
    /// When it was seen or described first.
    pub created_at: jiff::Timestamp,
    /// When it was described last.
    pub updated_at: jiff::Timestamp,
}

/// What people say about an event type.
#[derive(Debug, Clone, Default)]
pub struct EventTypeDescription {
    /// What it means.
    pub description: String,
    /// Under which heading it is shown.
    pub group: String,
    /// Data of an example event, an object.
    pub example: Option<Box<RawValue>>,
    /// The JSON Schema of its data, as it was written; checked by
    /// [`Schema::compile`](posthorn_domain::schema::Schema::compile).
    pub schema: Option<Box<RawValue>>,
}

/// A company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// Its id in events.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The company whose project it is; empty if its events name none.
    pub company_id: String,
    /// Its id in events.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// The pattern of `ILIKE` for a text that occurs anywhere.
fn anywhere(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

fn read_event_type(row: &Row) -> EventType {
    EventType {
        name: row.get("type"),
        described: EventTypeDescription {
            description: row.get("description"),
            group: row.get("grouped"),
            example: row.get::<_, Option<Json<Box<RawValue>>>>("example").map(|Json(example)| example),
            schema: row.get::<_, Option<Json<Box<RawValue>>>>("schema").map(|Json(schema)| schema),
        },
        revision: row.get("revision"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
    }
}

fn listing() -> impl FnOnce(tokio_postgres::Error) -> StoreError {
    StoreError::query("list the catalogue")
}

/// Makes a change that the audit log ascribes to the actor, with one statement.
async fn change(
    pool: &Pool,
    actor: &Actor,
    statement: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, StoreError> {
    let mut client = pool.client().await?;
    let changed = async {
        let transaction = actor.begin(&mut client).await?;
        let rows = transaction.query(statement, values).await?;
        transaction.commit().await?;
        Ok(rows)
    };
    changed.await.map_err(StoreError::query("change the catalogue"))
}
