//! Watches what the API must know without asking: who may do what, and which data fits an event type.
//!
//! Notifications tell which token or schema to look at. At the start, after every reconnection and now and
//! then everything is loaded, so that nothing depends on a notification. While the database is away, what is
//! known stays in force: events are taken then, and no other request is.

use std::{collections::HashMap, time::Duration};

use posthorn_domain::{error_chain::error_chain, status::Status, token::TokenHash};
use posthorn_timing::Backoff;
use serde_json::value::RawValue;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tokio_postgres::{Client, types::Json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::tokens::{self, TokenRecord};
use crate::{
    error::{StoreError, answered},
    listen::Listener,
};

const CHANNELS: &[&str] = &["posthorn_tokens", "posthorn_schemas"];
const LOAD_EVERY: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const NOT_LOADED: &str = "the tokens have not been loaded from PostgreSQL";

/// A JSON Schema that the data of an event type must fit.
#[derive(Debug, Clone)]
pub struct TypeSchema {
    /// Rises with every change of the event type.
    pub revision: i64,
    /// The schema as it was written.
    pub json: Box<RawValue>,
}

/// What has changed.
#[derive(Debug, Clone)]
pub enum AccessUpdate {
    /// Everything: what is not in it is not there.
    All {
        /// All tokens, with what stands for them.
        tokens: Vec<(TokenHash, TokenRecord)>,
        /// The schemas by event type.
        schemas: HashMap<String, TypeSchema>,
    },
    /// A token: as it is now, `None` if it was deleted.
    Token(Uuid, Option<(TokenHash, TokenRecord)>),
    /// An event type: its schema, if it has one.
    Schema(String, Option<TypeSchema>),
}

/// Keeps who checks tokens and data up to date.
pub struct AccessWatch {
    url: String,
    changes: mpsc::Sender<AccessUpdate>,
    status: Status,
}

impl AccessWatch {
    /// A watch that sends what changes to `changes`, first of all everything.
    pub fn new(url: &str, changes: mpsc::Sender<AccessUpdate>) -> Self {
        Self { url: url.to_owned(), changes, status: Status::starting(NOT_LOADED) }
    }

    /// Tells what keeps tokens from being known; nothing does once they were loaded.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Watches until `stop`, reconnecting by itself.
    ///
    /// # Errors
    /// Only if the URL is none.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let started = Instant::now();
            let Some(Err(error)) = stop.run_until_cancelled(self.follow()).await else { return Ok(()) };
            if let StoreError::BadUrl(_) | StoreError::Tls(_) = error {
                return Err(error);
            }
            backoff.reset_after(started.elapsed());
            let pause = backoff.pause(rand::random());
            let said = error_chain(&error);
            let millis = pause.as_millis();
            tracing::warn!(
                "cannot follow tokens and schemas in PostgreSQL ({said}), trying again in {millis} ms"
            );
            if self.status.missing().is_some() {
                self.status.set(Some(format!("{NOT_LOADED}: {said}")));
            }
            if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                return Ok(());
            }
        }
    }

    /// Follows on one connection; returns only in order to report why it cannot.
    async fn follow(&self) -> Result<(), StoreError> {
        let mut listener = Listener::connect(&self.url, CHANNELS).await?;
        loop {
            self.load(&listener.client).await?;
            self.status.set(None);
            let next = Instant::now() + LOAD_EVERY;
            loop {
                tokio::select! {
                    changed = listener.changed() => {
                        for (channel, what) in changed? {
                            self.look(&listener.client, channel, &what).await?;
                        }
                    }
                    () = sleep_until(next) => break,
                }
            }
        }
    }

    async fn load(&self, client: &Client) -> Result<(), StoreError> {
        let task = "load tokens and schemas";
        let query = format!("{} WHERE revoked_at IS NULL", tokens::SELECT_WITH_HASH);
        let schemas = "SELECT type, revision, schema FROM event_types WHERE schema IS NOT NULL";
        let loading = async { tokio::try_join!(client.query(&query, &[]), client.query(schemas, &[])) };
        let (tokens, schemas) = answered(task, loading).await?;
        let tokens = tokens.iter().map(tokens::read_with_hash).collect();
        let schemas = schemas.iter().map(|row| (row.get("type"), read_schema(row))).collect();
        self.send(AccessUpdate::All { tokens, schemas }).await;
        Ok(())
    }

    async fn look(&self, client: &Client, channel: &str, what: &str) -> Result<(), StoreError> {
        let task = "look at a token or a schema";
        let asking = async {
            if let (true, Ok(id)) = (channel == CHANNELS[0], Uuid::try_parse(what)) {
                let query = format!("{} WHERE id = $1", tokens::SELECT_WITH_HASH);
                let row = client.query_opt(&query, &[&id]).await?;
                return Ok(AccessUpdate::Token(id, row.as_ref().map(tokens::read_with_hash)));
            }
            let query = "SELECT revision, schema FROM event_types WHERE type = $1 AND schema IS NOT NULL";
            let row = client.query_opt(query, &[&what]).await?;
            Ok(AccessUpdate::Schema(what.to_owned(), row.as_ref().map(read_schema)))
        };
        self.send(answered(task, asking).await?).await;
        Ok(())
    }

    async fn send(&self, update: AccessUpdate) {
        // If who watches has gone, so shall we, when told to stop.
        let _ = self.changes.send(update).await;
    }
}

fn read_schema(row: &tokio_postgres::Row) -> TypeSchema {
    let Json(json) = row.get("schema");
    TypeSchema { revision: row.get("revision"), json }
}
