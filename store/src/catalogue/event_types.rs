//! Event types that were seen or described.

use tokio_postgres::types::Json;

use super::{EventType, EventTypeDescription, anywhere, change, listing, read_event_type};
use crate::{actor::Actor, error::StoreError, store::Catalogue};

const COLUMNS: &str = "type, description, grouped, example, schema, revision, created_at, updated_at";

impl Catalogue {
    /// Event types after `after` in whose name, group or description `text` occurs; all if it is empty.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn event_types(
        &self,
        text: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<EventType>, StoreError> {
        let query = format!(
            "SELECT {COLUMNS} FROM event_types
             WHERE type > $2 AND (type ILIKE $1 OR grouped ILIKE $1 OR description ILIKE $1)
             ORDER BY type LIMIT $3"
        );
        let client = self.pool.client().await?;
        let rows = client.query(&query, &[&anywhere(text), &after, &i64::from(limit)]).await;
        Ok(rows.map_err(listing())?.iter().map(read_event_type).collect())
    }

    /// One event type.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn event_type(&self, name: &str) -> Result<Option<EventType>, StoreError> {
        let client = self.pool.client().await?;
        let query = format!("SELECT {COLUMNS} FROM event_types WHERE type = $1");
        let row = client.query_opt(&query, &[&name]).await.map_err(listing())?;
        Ok(row.as_ref().map(read_event_type))
    }

    /// Describes an event type, seen or not. With `expected`, only if its revision is that one: else
    /// the answer is `None`.
    ///
    /// # Errors
    /// If the database refuses, as it does with what is no event type, or is gone.
    pub async fn describe_event_type(
        &self,
        name: &str,
        described: &EventTypeDescription,
        expected: Option<i64>,
        actor: &Actor,
    ) -> Result<Option<EventType>, StoreError> {
        let EventTypeDescription { description, group, example, schema } = described;
        let (example, schema) = (example.as_ref().map(Json), schema.as_ref().map(Json));
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&name, description, group, &example, &schema];
        let rows = match expected {
            None => {
                let upsert = format!(
                    "INSERT INTO event_types (type, description, grouped, example, schema)
                     VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (type) DO UPDATE
                     SET description = excluded.description, grouped = excluded.grouped,
                         example = excluded.example, schema = excluded.schema,
                         revision = excluded.revision, updated_at = now()
                     RETURNING {COLUMNS}"
                );
                change(&self.pool, actor, &upsert, &values).await?
            }
            Some(revision) => {
                let update = format!(
                    "UPDATE event_types
                     SET description = $2, grouped = $3, example = $4, schema = $5,
                         revision = nextval('catalogue_revision'), updated_at = now()
                     WHERE type = $1 AND revision = $6
                     RETURNING {COLUMNS}"
                );
                change(&self.pool, actor, &update, &[&values[..], &[&revision]].concat()).await?
            }
        };
        Ok(rows.first().map(read_event_type))
    }

    /// Deletes an event type; whether there was one. It comes back when it is seen again.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn delete_event_type(&self, name: &str, actor: &Actor) -> Result<bool, StoreError> {
        let delete = "DELETE FROM event_types WHERE type = $1 RETURNING type";
        Ok(change(&self.pool, actor, delete, &[&name]).await?.len() == 1)
    }
}
