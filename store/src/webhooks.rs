//! Webhooks and their secrets.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use posthorn_domain::{
    id::WebhookId,
    keyring::Sealed,
    rule::{Limits, Rule},
    webhook::{Condition, DisablePolicy, DisabledReason, State},
};
use serde_json::{Value, value::RawValue};
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};
use uuid::Uuid;

use crate::{actor::Actor, connect::Store, error::StoreError};

/// A webhook as its owner describes it.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Its id: a fresh UUIDv7.
    pub id: WebhookId,
    /// What people call it.
    pub name: String,
    /// Where deliveries go; already checked against the address policy.
    pub url: String,
    /// Which events it wants.
    pub rules: Vec<Rule>,
    /// The deadline of an attempt.
    pub timeout: Duration,
    /// How many attempts each dispatcher makes at a time.
    pub max_in_flight: u16,
    /// What disables it.
    pub disable_policy: DisablePolicy,
    /// What people say about it.
    pub description: String,
    /// Headers of its own for every request, by name.
    pub headers: BTreeMap<String, String>,
    /// What its owner wants to remember of it.
    pub metadata: BTreeMap<String, String>,
    /// The e-mail address that is told when it fails.
    pub contact: Option<String>,
}

/// A webhook as people look at it.
#[derive(Debug, Clone)]
pub struct WebhookRecord {
    /// What its owner said.
    pub described: NewWebhook,
    /// Its state; never deleted.
    pub state: State,
    /// Why it is disabled.
    pub disabled_reason: Option<DisabledReason>,
    /// Since when.
    pub disabled_at: Option<Timestamp>,
    /// The outcome of the attempt that disabled it.
    pub disabled_outcome: Option<Value>,
    /// Its epoch.
    pub epoch: u32,
    /// Rises with every change.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// When an attempt was accepted last.
    pub last_accepted_at: Option<Timestamp>,
    /// When an attempt failed last.
    pub last_failed_at: Option<Timestamp>,
}

impl WebhookRecord {
    /// Its state as people see it.
    pub fn condition(&self) -> Condition {
        Condition::of(self.state, self.last_accepted_at, self.last_failed_at)
            .expect("queries leave deleted webhooks out")
    }
}

const SELECT: &str =
    "SELECT id, name, url, rules, timeout_ms, max_in_flight, disable_policy, state, disabled_reason,
       disabled_at, disabled_outcome, epoch, created_at, updated_at, last_accepted_at, last_failed_at,
       description, headers, metadata, contact, revision
FROM webhooks LEFT JOIN webhook_health ON webhook_id = id
WHERE state <> 'deleted'";

/// That every rule names none but the companies `{}`, a JSON list.
const WITHIN: &str = "NOT EXISTS (SELECT FROM jsonb_array_elements(rules) AS rule
                                  WHERE NOT coalesce(rule -> 'companies' <@ {}, false))";

impl Store {
    /// Makes a webhook with its first secret.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn add_webhook(
        &self,
        webhook: &NewWebhook,
        secret: &Sealed,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let added = async {
            let transaction = actor.begin(&mut client).await?;
            let insert =
                "INSERT INTO webhooks (id, name, url, rules, timeout_ms, max_in_flight, disable_policy,
                                                description, headers, metadata, contact)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
            let columns = Columns::of(webhook);
            transaction.execute(insert, &columns.params()).await?;
            let insert =
                "INSERT INTO webhook_secrets (id, webhook_id, key_id, sealed) VALUES ($1, $2, $3, $4)";
            let secret_id = Uuid::now_v7();
            transaction.execute(insert, &[&secret_id, &webhook.id.0, &secret.key_id, &secret.bytes]).await?;
            transaction.commit().await
        };
        added.await.map_err(StoreError::query("add the webhook"))
    }

    /// Changes what its owner says of a webhook, if it is still at this revision; else answers `None`.
    ///
    /// # Errors
    /// If it is unknown.
    pub async fn update_webhook(
        &self,
        webhook: &NewWebhook,
        revision: i64,
        actor: &Actor,
    ) -> Result<Option<WebhookRecord>, StoreError> {
        let mut client = self.client().await?;
        let updated = async {
            let transaction = actor.begin(&mut client).await?;
            let update = "UPDATE webhooks SET name = $2, url = $3, rules = $4, timeout_ms = $5, max_in_flight = $6,
                                 disable_policy = $7, description = $8, headers = $9, metadata = $10, contact = $11
                          WHERE id = $1 AND revision = $12 AND state <> 'deleted'";
            let columns = Columns::of(webhook);
            let params = [&columns.params()[..], &[&revision]].concat();
            let updated = transaction.execute(update, &params).await?;
            transaction.commit().await?;
            Ok(updated == 1)
        };
        let updated = updated.await.map_err(StoreError::query("change the webhook"))?;
        drop(client);
        let webhook = self.webhook(webhook.id).await?;
        Ok(updated.then_some(webhook))
    }

    /// Webhooks after `after`, the oldest first, at most `limit`; of those that name none but these
    /// companies, if there are any given.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn webhooks_after(
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
        let client = self.client().await?;
        let after = after.map(|id| id.0);
        let rows = client.query(&query, &[&after, &limit, &companies.map(Json)]).await;
        rows.map_err(StoreError::query("list the webhooks"))?.iter().map(read).collect()
    }

    /// All webhooks, the oldest first.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn webhooks(&self) -> Result<Vec<WebhookRecord>, StoreError> {
        let client = self.client().await?;
        let rows = client.query(&format!("{SELECT} ORDER BY id"), &[]).await;
        rows.map_err(StoreError::query("list the webhooks"))?.iter().map(read).collect()
    }

    /// Which of these webhooks name none but these companies.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn webhooks_within(
        &self,
        ids: &[WebhookId],
        companies: &[String],
    ) -> Result<Vec<WebhookId>, StoreError> {
        let query = format!(
            "SELECT id FROM webhooks WHERE state <> 'deleted' AND id = ANY ($1) AND {}",
            WITHIN.replace("{}", "$2")
        );
        let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
        let client = self.client().await?;
        let rows = client.query(&query, &[&ids, &Json(companies)]).await;
        let rows = rows.map_err(StoreError::query("look at the webhooks"))?;
        Ok(rows.iter().map(|row| WebhookId(row.get(0))).collect())
    }

    /// One webhook.
    ///
    /// # Errors
    /// If there is none with this id.
    pub async fn webhook(&self, id: WebhookId) -> Result<WebhookRecord, StoreError> {
        let client = self.client().await?;
        let row = client.query_opt(&format!("{SELECT} AND id = $1"), &[&id.0]).await;
        let row = row.map_err(StoreError::query("look the webhook up"))?;
        read(&row.ok_or(StoreError::UnknownWebhook(id))?)
    }

    /// Enables a disabled webhook in a new epoch: attempts of what waits count from 1. An enabled one
    /// stays as it is.
    ///
    /// # Errors
    /// If it is unknown or paused.
    pub async fn enable_webhook(&self, id: WebhookId, actor: &Actor) -> Result<WebhookRecord, StoreError> {
        let update = "UPDATE webhooks SET state = 'enabled', epoch = epoch + 1, disabled_reason = NULL,
                      disabled_at = NULL, disabled_outcome = NULL WHERE id = $1 AND state = 'disabled'";
        self.change(id, actor, update, State::Enabled, "resume it instead").await
    }

    /// Disables a webhook because an operator says so.
    ///
    /// # Errors
    /// If it is unknown.
    pub async fn disable_webhook(&self, id: WebhookId, actor: &Actor) -> Result<WebhookRecord, StoreError> {
        let update =
            "UPDATE webhooks SET state = 'disabled', disabled_reason = 'operator', disabled_at = now()
                      WHERE id = $1 AND state IN ('enabled', 'paused')";
        self.change(id, actor, update, State::Disabled, "nothing to do").await
    }

    /// Pauses an enabled webhook.
    ///
    /// # Errors
    /// If it is unknown or disabled.
    pub async fn pause_webhook(&self, id: WebhookId, actor: &Actor) -> Result<WebhookRecord, StoreError> {
        let update = "UPDATE webhooks SET state = 'paused' WHERE id = $1 AND state = 'enabled'";
        self.change(id, actor, update, State::Paused, "it gets nothing, there is no need to pause it").await
    }

    /// Resumes a paused webhook.
    ///
    /// # Errors
    /// If it is unknown or disabled.
    pub async fn resume_webhook(&self, id: WebhookId, actor: &Actor) -> Result<WebhookRecord, StoreError> {
        let update = "UPDATE webhooks SET state = 'enabled' WHERE id = $1 AND state = 'paused'";
        self.change(id, actor, update, State::Enabled, "enable it instead").await
    }

    /// Deletes a webhook. Its queue goes after a grace, see [`Janitor`](crate::Janitor).
    ///
    /// # Errors
    /// If it is unknown.
    pub async fn delete_webhook(&self, id: WebhookId, actor: &Actor) -> Result<WebhookRecord, StoreError> {
        let was = self.webhook(id).await?;
        let update = "UPDATE webhooks SET state = 'deleted', deleted_at = now(), disabled_reason = NULL,
                      disabled_at = NULL, disabled_outcome = NULL WHERE id = $1 AND state <> 'deleted'";
        self.act(actor, "delete the webhook", update, id).await?;
        Ok(was)
    }

    /// Gives a webhook a new secret. The current one goes on signing beside it for `overlap`; one
    /// from an earlier rotation ends now.
    ///
    /// # Errors
    /// If the webhook is unknown.
    pub async fn rotate_secret(
        &self,
        id: WebhookId,
        secret: &Sealed,
        overlap: Duration,
        actor: &Actor,
    ) -> Result<WebhookRecord, StoreError> {
        let mut client = self.client().await?;
        let rotated = async {
            let transaction = actor.begin(&mut client).await?;
            // The update comes first: its lock makes rotations of one webhook wait for each other.
            let update = "UPDATE webhooks SET updated_at = now() WHERE id = $1 AND state <> 'deleted'";
            if transaction.execute(update, &[&id.0]).await? == 0 {
                return Ok(());
            }
            let end = "DELETE FROM webhook_secrets WHERE webhook_id = $1 AND expires_at IS NOT NULL";
            transaction.execute(end, &[&id.0]).await?;
            let expire = "UPDATE webhook_secrets SET expires_at = now() + $2 * interval '1 second'
                          WHERE webhook_id = $1";
            transaction.execute(expire, &[&id.0, &overlap.as_secs_f64()]).await?;
            let insert =
                "INSERT INTO webhook_secrets (id, webhook_id, key_id, sealed) VALUES ($1, $2, $3, $4)";
            transaction.execute(insert, &[&Uuid::now_v7(), &id.0, &secret.key_id, &secret.bytes]).await?;
            transaction.commit().await
        };
        rotated.await.map_err(StoreError::query("rotate the secret"))?;
        drop(client);
        self.webhook(id).await
    }

    async fn act(
        &self,
        actor: &Actor,
        task: &'static str,
        update: &str,
        id: WebhookId,
    ) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let acted = async {
            let transaction = actor.begin(&mut client).await?;
            transaction.execute(update, &[&id.0]).await?;
            transaction.commit().await
        };
        acted.await.map_err(StoreError::query(task))
    }

    /// Runs a change of state and tells what became of it: done, already so, or not possible.
    async fn change(
        &self,
        id: WebhookId,
        actor: &Actor,
        update: &str,
        wanted: State,
        advice: &'static str,
    ) -> Result<WebhookRecord, StoreError> {
        let task = "change the webhook";
        let mut client = self.client().await?;
        let changed = async {
            let transaction = actor.begin(&mut client).await?;
            // Locked, so that what is told of the change is true whoever else changes it.
            let lock = "SELECT state FROM webhooks WHERE id = $1 AND state <> 'deleted' FOR UPDATE";
            let was: Option<String> = transaction.query_opt(lock, &[&id.0]).await?.map(|row| row.get(0));
            let has_changed = transaction.execute(update, &[&id.0]).await? == 1;
            transaction.commit().await?;
            Ok((was, has_changed))
        };
        let (was, has_changed) = changed.await.map_err(StoreError::query(task))?;
        drop(client);
        let state = was.ok_or(StoreError::UnknownWebhook(id))?;
        match has_changed || state == wanted.to_string() {
            true => self.webhook(id).await,
            false => Err(StoreError::WrongState { id, state, advice }),
        }
    }
}

/// What its owner says of a webhook, as columns.
struct Columns<'a> {
    webhook: &'a NewWebhook,
    rules: Json<&'a Vec<Rule>>,
    timeout: i32,
    in_flight: i32,
    policy: String,
    headers: Json<&'a BTreeMap<String, String>>,
    metadata: Json<&'a BTreeMap<String, String>>,
}

impl<'a> Columns<'a> {
    fn of(webhook: &'a NewWebhook) -> Self {
        Self {
            webhook,
            rules: Json(&webhook.rules),
            timeout: webhook.timeout.as_millis() as i32,
            in_flight: i32::from(webhook.max_in_flight),
            policy: webhook.disable_policy.to_string(),
            headers: Json(&webhook.headers),
            metadata: Json(&webhook.metadata),
        }
    }

    fn params(&self) -> [&(dyn ToSql + Sync); 11] {
        let Self { webhook, rules, timeout, in_flight, policy, headers, metadata } = self;
        let NewWebhook { id, name, url, description, contact, .. } = webhook;
        [&id.0, name, url, rules, timeout, in_flight, policy, description, headers, metadata, contact]
    }
}

fn read(row: &Row) -> Result<WebhookRecord, StoreError> {
    let id = WebhookId(row.get("id"));
    let unreadable = |problem: String| StoreError::Unreadable { id, problem };
    let reason: Option<&str> = row.get("disabled_reason");
    Ok(WebhookRecord {
        described: NewWebhook {
            id,
            name: row.get("name"),
            url: row.get("url"),
            rules: read_rules(row).map_err(unreadable)?,
            timeout: read_timeout(row),
            max_in_flight: read_in_flight(row),
            disable_policy: row.get::<_, &str>("disable_policy").parse().map_err(unreadable)?,
            description: row.get("description"),
            headers: read_texts(row, "headers"),
            metadata: read_texts(row, "metadata"),
            contact: row.get("contact"),
        },
        revision: row.get("revision"),
        state: row.get::<_, &str>("state").parse().map_err(unreadable)?,
        disabled_reason: reason.map(str::parse).transpose().map_err(unreadable)?,
        disabled_at: row.get("disabled_at"),
        disabled_outcome: row.get("disabled_outcome"),
        epoch: read_epoch(row),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
        last_accepted_at: row.get("last_accepted_at"),
        last_failed_at: row.get("last_failed_at"),
    })
}

/// An object of strings; what is none in it is left out.
pub(crate) fn read_texts(row: &Row, column: &str) -> BTreeMap<String, String> {
    let Json(object) = row.get::<_, Json<BTreeMap<String, Value>>>(column);
    let texts = object.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, text)),
        _ => None,
    });
    texts.collect()
}

/// Reads them as they are written: a JSON value would round their numbers.
pub(crate) fn read_rules(row: &Row) -> Result<Vec<Rule>, String> {
    let Json(rules) = row.get::<_, Json<Box<RawValue>>>("rules");
    Rule::read_list(rules.get(), &Limits::HIGHEST).map_err(|problems| {
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        format!("its rules are wrong at {}", told.join("; "))
    })
}

pub(crate) fn read_timeout(row: &Row) -> Duration {
    Duration::from_millis(row.get::<_, i32>("timeout_ms").unsigned_abs().into())
}

pub(crate) fn read_in_flight(row: &Row) -> u16 {
    row.get::<_, i32>("max_in_flight").clamp(1, 1000) as u16
}

pub(crate) fn read_epoch(row: &Row) -> u32 {
    row.get::<_, i32>("epoch").unsigned_abs()
}
