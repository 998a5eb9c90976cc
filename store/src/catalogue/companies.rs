//! Companies that were seen or named.

use tokio_postgres::Row;

use super::{Company, anywhere, change, listing};
use crate::{actor::Actor, error::StoreError, store::Catalogue};

impl Catalogue {
    /// Companies after `after` in whose id or name `text` occurs; all if it is empty. With `within`, of
    /// these.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn companies(
        &self,
        text: &str,
        within: Option<&[String]>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Company>, StoreError> {
        let query = "SELECT id, name FROM companies
                     WHERE id > $2 AND (id ILIKE $1 OR name ILIKE $1) AND ($3::text[] IS NULL OR id = ANY ($3))
                     ORDER BY id LIMIT $4";
        let client = self.pool.client().await?;
        let rows = client.query(query, &[&anywhere(text), &after, &within, &i64::from(limit)]).await;
        Ok(rows.map_err(listing())?.iter().map(read).collect())
    }

    /// One company.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn company(&self, id: &str) -> Result<Option<Company>, StoreError> {
        let client = self.pool.client().await?;
        let row = client.query_opt("SELECT id, name FROM companies WHERE id = $1", &[&id]).await;
        Ok(row.map_err(listing())?.as_ref().map(read))
    }

    /// Names a company, seen or not.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn name_company(&self, company: &Company, actor: &Actor) -> Result<(), StoreError> {
        let upsert = "INSERT INTO companies (id, name) VALUES ($1, $2)
                      ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = now()";
        change(&self.pool, actor, upsert, &[&company.id, &company.name]).await.map(|_| ())
    }

    /// Deletes a company and its projects; whether there was one. It comes back when it is seen again.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn delete_company(&self, id: &str, actor: &Actor) -> Result<bool, StoreError> {
        let delete = "WITH projects AS (DELETE FROM projects WHERE company_id = $1)
                      DELETE FROM companies WHERE id = $1 RETURNING id";
        Ok(change(&self.pool, actor, delete, &[&id]).await?.len() == 1)
    }
}

fn read(row: &Row) -> Company {
    Company { id: row.get("id"), name: row.get("name") }
}
