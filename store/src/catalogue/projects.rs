//! Projects that were seen or named.

use tokio_postgres::Row;

use super::{Project, anywhere, change, listing};
use crate::{actor::Actor, error::StoreError, store::Catalogue};

impl Catalogue {
    /// Projects after `after`, a company and a project, in whose id or name `text` occurs; all if it is
    /// empty. With `company`, those of this company; with `within`, of these.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn projects(
        &self,
        company: Option<&str>,
        text: &str,
        within: Option<&[String]>,
        after: &(String, String),
        limit: u32,
    ) -> Result<Vec<Project>, StoreError> {
        let query = "SELECT company_id, id, name FROM projects
                     WHERE (company_id, id) > ($3, $4) AND ($2::text IS NULL OR company_id = $2)
                       AND (id ILIKE $1 OR name ILIKE $1) AND ($6::text[] IS NULL OR company_id = ANY ($6))
                     ORDER BY company_id, id LIMIT $5";
        let client = self.pool.client().await?;
        let limit = i64::from(limit);
        let (text, (after_company, after_id)) = (anywhere(text), after);
        let rows = client.query(query, &[&text, &company, after_company, after_id, &limit, &within]).await;
        Ok(rows.map_err(listing())?.iter().map(read).collect())
    }

    /// One project.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn project(&self, company: &str, id: &str) -> Result<Option<Project>, StoreError> {
        let query = "SELECT company_id, id, name FROM projects WHERE company_id = $1 AND id = $2";
        let client = self.pool.client().await?;
        let row = client.query_opt(query, &[&company, &id]).await.map_err(listing())?;
        Ok(row.as_ref().map(read))
    }

    /// Names a project, seen or not.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn name_project(&self, project: &Project, actor: &Actor) -> Result<(), StoreError> {
        let upsert = "INSERT INTO projects (company_id, id, name) VALUES ($1, $2, $3)
                      ON CONFLICT (company_id, id) DO UPDATE SET name = excluded.name, updated_at = now()";
        let Project { company_id, id, name } = project;
        change(&self.pool, actor, upsert, &[company_id, id, name]).await.map(|_| ())
    }

    /// Deletes a project; whether there was one. It comes back when it is seen again.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn delete_project(&self, company: &str, id: &str, actor: &Actor) -> Result<bool, StoreError> {
        let delete = "DELETE FROM projects WHERE company_id = $1 AND id = $2 RETURNING id";
        Ok(change(&self.pool, actor, delete, &[&company, &id]).await?.len() == 1)
    }
}

fn read(row: &Row) -> Project {
    Project { company_id: row.get("company_id"), id: row.get("id"), name: row.get("name") }
}
