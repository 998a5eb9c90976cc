//! Webhooks: made, changed, looked up; what stops them and their secrets are in the modules below.

use deadpool_postgres::Transaction;
use posthorn_domain::{id::WebhookId, keyring::Sealed};
use tokio_postgres::{Error, types::Json};
use uuid::Uuid;

use crate::{
    actor::Actor,
    error::{OverQuota, StoreError},
    store::Webhooks,
};

pub(crate) mod quota;
pub(crate) mod record;
pub(crate) mod rows;
mod secrets;
mod states;
pub(crate) mod versions;
pub(crate) mod watch;

use quota::Charge;
use record::{NewWebhook, WebhookRecord};
use rows::{Columns, SELECT, one, read};

/// That every rule names none but the companies `{}`, a JSON list.
const WITHIN: &str = "NOT EXISTS (SELECT FROM jsonb_array_elements(rules) AS rule
                                  WHERE NOT coalesce(rule -> 'companies' <@ {}, false))";

async fn over_quota(
    transaction: &Transaction<'_>,
    webhook: &NewWebhook,
    charge: Option<&Charge>,
) -> Result<Option<OverQuota>, Error> {
    match charge {
        Some(charge) => quota::check(transaction, webhook, charge).await,
        None => Ok(None),
    }
}

impl Webhooks {
    /// Makes a webhook with its first secret. It is read back before the commit: behind that nothing can
    /// fail, so that an error means that there is no webhook, unless the commit itself was not answered.
    ///
    /// # Errors
    /// If it does not fit into the quotas that it is charged to, or the database refuses or is gone.
    pub async fn add(
        &self,
        webhook: &NewWebhook,
        secret: &Sealed,
        charge: Option<&Charge>,
        actor: &Actor,
    ) -> Result<WebhookRecord, StoreError> {
        let mut client = self.pool.client().await?;
        let added = async {
            let transaction = actor.begin(&mut client).await?;
            if let Some(over) = over_quota(&transaction, webhook, charge).await? {
                return Ok(Err(over));
            }
            let insert =
                "INSERT INTO webhooks (id, name, url, rules, timeout_ms, max_in_flight, disable_policy,
                                       description, metadata, contact, http2, header_names, headers_key_id,
                                       headers_sealed)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
            let columns = Columns::of(webhook);
            transaction.execute(insert, &columns.params()).await?;
            let insert =
                "INSERT INTO webhook_secrets (id, webhook_id, key_id, sealed) VALUES ($1, $2, $3, $4)";
            let secret_id = Uuid::now_v7();
            transaction.execute(insert, &[&secret_id, &webhook.id.0, &secret.key_id, &secret.bytes]).await?;
            let row = transaction.query_one(&one(), &[&webhook.id.0]).await?;
            transaction.commit().await?;
            Ok(Ok(row))
        };
        let added = added.await.map_err(StoreError::query("add the webhook"))?;
        read(&added.map_err(StoreError::OverQuota)?)
    }

    /// Changes what its owner says of a webhook, if it is still at this revision; else answers `None`.
    ///
    /// # Errors
    /// If it is unknown, or does not fit into the quotas that it is charged to.
    pub async fn update(
        &self,
        webhook: &NewWebhook,
        revision: i64,
        charge: Option<&Charge>,
        actor: &Actor,
    ) -> Result<Option<WebhookRecord>, StoreError> {
        let mut client = self.pool.client().await?;
        let updated = async {
            let transaction = actor.begin(&mut client).await?;
            if let Some(over) = over_quota(&transaction, webhook, charge).await? {
                return Ok(Err(over));
            }
            let update =
                "UPDATE webhooks SET name = $2, url = $3, rules = $4, timeout_ms = $5, max_in_flight = $6,
                                 disable_policy = $7, description = $8, metadata = $9, contact = $10,
                                 http2 = $11, header_names = $12, headers_key_id = $13, headers_sealed = $14
                          WHERE id = $1 AND revision = $15 AND state <> 'deleted'";
            let columns = Columns::of(webhook);
            let params = [&columns.params()[..], &[&revision]].concat();
            let updated = transaction.execute(update, &params).await?;
            transaction.commit().await?;
            Ok(Ok(updated == 1))
        };
        let updated = updated.await.map_err(StoreError::query("change the webhook"))?;
        let updated = updated.map_err(StoreError::OverQuota)?;
        drop(client);
        let webhook = self.get(webhook.id).await?;
        Ok(updated.then_some(webhook))
    }

    /// Webhooks after `after`, the oldest first, at most `limit`; of those that name none but these
    /// companies, if there are any given.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn after(
        &self,
        after: Option<WebhookId>,
        limit: i64,
        companies: Option<&[String]>,
    ) -> Result<Vec<WebhookRecord>, StoreError> {
        let within = WITHIN.replace("{}", "$3");
        let query = format!(
            "{SELECT} AND ($1::uuid IS NULL OR id > $1) AND ($3::jsonb IS NULL OR {within})
             ORDER BY id LIMIT $2"
        );
        let client = self.pool.client().await?;
        let after = after.map(|id| id.0);
        let rows = client.query(&query, &[&after, &limit, &companies.map(Json)]).await;
        rows.map_err(StoreError::query("list the webhooks"))?.iter().map(read).collect()
    }

    /// All webhooks, the oldest first.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn all(&self) -> Result<Vec<WebhookRecord>, StoreError> {
        let client = self.pool.client().await?;
        let rows = client.query(&format!("{SELECT} ORDER BY id"), &[]).await;
        rows.map_err(StoreError::query("list the webhooks"))?.iter().map(read).collect()
    }

    /// Which of these webhooks name none but these companies.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn within(
        &self,
        ids: &[WebhookId],
        companies: &[String],
    ) -> Result<Vec<WebhookId>, StoreError> {
        let query = format!(
            "SELECT id FROM webhooks WHERE state <> 'deleted' AND id = ANY ($1) AND {}",
            WITHIN.replace("{}", "$2")
        );
        let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
        let client = self.pool.client().await?;
        let rows = client.query(&query, &[&ids, &Json(companies)]).await;
        let rows = rows.map_err(StoreError::query("look at the webhooks"))?;
        Ok(rows.iter().map(|row| WebhookId(row.get(0))).collect())
    }

    /// One webhook.
    ///
    /// # Errors
    /// If there is none with this id.
    pub async fn get(&self, id: WebhookId) -> Result<WebhookRecord, StoreError> {
        let client = self.pool.client().await?;
        let row = client.query_opt(&one(), &[&id.0]).await;
        let row = row.map_err(StoreError::query("look the webhook up"))?;
        read(&row.ok_or(StoreError::UnknownWebhook(id))?)
    }
}
