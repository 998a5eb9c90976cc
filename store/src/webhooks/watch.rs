//! Watches all webhooks: who watches knows every change within moments of its commit.
//!
//! Notifications tell which webhook to look at; at the start, after every reconnection and every
//! few seconds all revisions are compared, so that nothing depends on a notification. What cannot be
//! fetched stays as it was: a failing database never looks like an empty one.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use posthorn_domain::{
    error_chain::error_chain,
    id::WebhookId,
    keyring::Sealed,
    status::Status,
    tenant::Tenant,
    webhook::{
        LiveSecret, State, Webhook,
        updates::{Change, Update},
    },
};
use posthorn_timing::Backoff;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tokio_postgres::{Client, Row};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::rows;
use crate::{
    columns::word,
    error::{StoreError, answered},
    listen::Listener,
    store::Webhooks,
};

/// How often all revisions are compared.
const COMPARE_EVERY: Duration = Duration::from_secs(5);
/// Of the trigger in `migrations/V1__webhooks.sql`.
const CHANNELS: &[&str] = &["posthorn_webhooks"];
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const NOT_LOADED: &str = "the webhooks have not been loaded from PostgreSQL";
/// How many webhooks are fetched at a time.
const CHUNK: usize = 1000;

/// What a watcher wants to know of each webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// All but secrets and headers, for matching.
    Rules,
    /// All but rules, for delivering.
    Secrets,
}

/// Keeps a watcher up to date.
pub struct Watch {
    url: String,
    wants: Wants,
    changes: mpsc::Sender<Update>,
    status: Status,
}

impl Watch {
    /// A watch that sends what changes to `changes`, first of all everything.
    pub fn new(url: &str, wants: Wants, changes: mpsc::Sender<Update>) -> Self {
        Self { url: url.to_owned(), wants, changes, status: Status::starting(NOT_LOADED) }
    }

    /// Tells what keeps the webhooks from being known; nothing does once they were loaded. A database
    /// that goes away later is not missed: what is known stays in force.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Watches until `stop`, reconnecting by itself.
    ///
    /// # Errors
    /// Only if the URL is none.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut known = HashMap::new();
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let started = Instant::now();
            let Some(Err(error)) = stop.run_until_cancelled(self.follow(&mut known)).await else {
                return Ok(());
            };
            if let StoreError::BadUrl(_) | StoreError::Tls(_) = error {
                return Err(error);
            }
            backoff.reset_after(started.elapsed());
            let pause = backoff.pause(rand::random());
            let said = error_chain(&error);
            tracing::warn!(
                "cannot follow the webhooks in PostgreSQL ({said}), trying again in {} ms",
                pause.as_millis()
            );
            if self.status.missing().is_some() {
                self.status.set(Some(format!("{NOT_LOADED}: {said}")));
            }
            if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                return Ok(());
            }
        }
    }

    /// Follows the webhooks on one connection; returns only in order to report why it cannot.
    async fn follow(&self, known: &mut HashMap<WebhookId, i64>) -> Result<(), StoreError> {
        let mut listener = Listener::connect(&self.url, CHANNELS).await?;
        self.compare(&listener.client, known).await?;
        self.status.set(None);
        let mut next = Instant::now() + COMPARE_EVERY;
        loop {
            tokio::select! {
                changed = listener.changed() => {
                    let ids = changed?.iter().filter_map(|(_, id)| Uuid::try_parse(id).ok()).map(WebhookId).collect();
                    let changes = self.fetch(&listener.client, known, ids).await?;
                    self.send(Update { changes, compared: false }).await;
                }
                () = sleep_until(next) => {
                    self.compare(&listener.client, known).await?;
                    next = Instant::now() + COMPARE_EVERY;
                }
            }
        }
    }

    /// Compares every revision with the known ones and fetches what differs.
    async fn compare(&self, client: &Client, known: &mut HashMap<WebhookId, i64>) -> Result<(), StoreError> {
        let query = client.query("SELECT id, revision FROM webhooks WHERE state <> 'deleted'", &[]);
        let rows = answered("compare the webhooks", query).await?;
        let current: HashMap<_, i64> = rows.iter().map(|row| (WebhookId(row.get(0)), row.get(1))).collect();
        let gone = known.keys().filter(|id| !current.contains_key(id));
        let different =
            current.iter().filter(|(id, revision)| known.get(id) != Some(revision)).map(|(id, _)| id);
        let changed: HashSet<_> = gone.chain(different).copied().collect();
        let changes = self.fetch(client, known, changed).await?;
        self.send(Update { changes, compared: true }).await;
        Ok(())
    }

    /// Fetches these webhooks and tells what has become of each.
    async fn fetch(
        &self,
        client: &Client,
        known: &mut HashMap<WebhookId, i64>,
        ids: HashSet<WebhookId>,
    ) -> Result<Vec<Change>, StoreError> {
        let ids: Vec<_> = ids.into_iter().collect();
        let mut changes = Vec::with_capacity(ids.len());
        let mut revisions = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let mut absent: HashSet<_> = chunk.iter().copied().collect();
            for row in self.rows(client, chunk).await? {
                let id = WebhookId(row.get("id"));
                absent.remove(&id);
                revisions.push((id, Some(row.get("revision"))));
                match read(&row, self.wants) {
                    Ok(webhook) => changes.push(Change::Put(Arc::new(webhook))),
                    Err(error) => tracing::error!("{}: it stays as it was", error_chain(&error)),
                }
            }
            revisions.extend(absent.iter().map(|id| (*id, None)));
            changes.extend(absent.into_iter().map(Change::Gone));
        }
        for (id, revision) in revisions {
            match revision {
                Some(revision) => known.insert(id, revision),
                None => known.remove(&id),
            };
        }
        Ok(changes)
    }

    async fn rows(&self, client: &Client, ids: &[WebhookId]) -> Result<Vec<Row>, StoreError> {
        let query = query(self.wants);
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        answered("fetch webhooks", client.query(&query, &[&ids])).await
    }

    async fn send(&self, update: Update) {
        // If the watcher has gone, so shall we, when told to stop.
        let _ = self.changes.send(update).await;
    }
}

/// The company that all rules of a webhook name and no other; null if it sees several, or all.
const COMPANY: &str = "
    (SELECT CASE WHEN count(*) = count(company) AND count(DISTINCT company) = 1 THEN min(company) END
     FROM jsonb_array_elements(rules) AS rule
     LEFT JOIN LATERAL jsonb_array_elements_text(
         CASE jsonb_typeof(rule -> 'companies') WHEN 'array' THEN rule -> 'companies' END
     ) AS company ON true)";

/// What a watcher wants to know of the webhooks whose ids are given.
fn query(wants: Wants) -> String {
    let wanted = match wants {
        Wants::Rules => {
            "rules, '{}'::text[] AS header_names, NULL::text AS headers_key_id, NULL::bytea AS headers_sealed,
             '{}'::text[] AS key_ids, '{}'::bytea[] AS sealed,
             '{}'::timestamptz[] AS expiries"
        }
        Wants::Secrets => {
            "header_names, headers_key_id, headers_sealed,
             ARRAY(SELECT key_id FROM webhook_secrets WHERE webhook_id = webhooks.id ORDER BY id DESC) AS key_ids,
             ARRAY(SELECT sealed FROM webhook_secrets WHERE webhook_id = webhooks.id ORDER BY id DESC) AS sealed,
             ARRAY(SELECT expires_at FROM webhook_secrets WHERE webhook_id = webhooks.id ORDER BY id DESC)
                 AS expiries"
        }
    };
    format!(
        "SELECT id, url, state, epoch, timeout_ms, max_in_flight, disable_policy, http2, revision,
             {COMPANY} AS company, {wanted}
         FROM webhooks WHERE state <> 'deleted' AND id = ANY($1)"
    )
}

impl Webhooks {
    /// One webhook as those know it who deliver to it: without its rules.
    ///
    /// # Errors
    /// If it is unknown.
    pub async fn to_deliver_to(&self, id: WebhookId) -> Result<Webhook, StoreError> {
        let client = self.pool.client().await?;
        let row = client.query_opt(&query(Wants::Secrets), &[&vec![id.0]]).await;
        let row = row.map_err(StoreError::query("fetch a webhook"))?;
        read(&row.ok_or(StoreError::UnknownWebhook(id))?, Wants::Secrets)
    }
}

fn read(row: &Row, wants: Wants) -> Result<Webhook, StoreError> {
    let id = WebhookId(row.get("id"));
    let key_ids: Vec<String> = row.get("key_ids");
    let sealed: Vec<Vec<u8>> = row.get("sealed");
    let expiries: Vec<Option<jiff::Timestamp>> = row.get("expiries");
    let secrets = key_ids.into_iter().zip(sealed).zip(expiries);
    let secrets = secrets
        .map(|((key_id, bytes), expires_at)| LiveSecret { sealed: Sealed { key_id, bytes }, expires_at });
    let unreadable = || StoreError::unreadable(format!("webhook {id}"));
    let state = word(row, "state").map_err(unreadable())?;
    let rules = match wants {
        Wants::Rules => rows::read_rules(row),
        Wants::Secrets => Ok(Vec::new()),
    };
    let rules = match rules {
        Ok(rules) => rules,
        Err(problem) if state == State::Enabled => return Err(unreadable()(problem)),
        // It gets nothing: that must not depend on its rules.
        Err(_) => Vec::new(),
    };
    Ok(Webhook {
        id,
        url: row.get("url"),
        rules,
        tenant: Tenant::of(row.get("company")),
        state,
        epoch: rows::read_epoch(row),
        timeout: rows::read_timeout(row),
        max_in_flight: rows::read_in_flight(row),
        disable_policy: word(row, "disable_policy").map_err(unreadable())?,
        http2: row.get("http2"),
        headers: rows::read_headers(row),
        secrets: secrets.collect(),
    })
}
