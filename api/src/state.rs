//! What all handlers share.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use posthorn_attempt::Receivers;
use posthorn_domain::{
    address::AddressPolicy, id::WebhookId, keyring::KeyRing, rule::Limits, schema::Schemas, token::TokenHash,
};
use posthorn_store::{Store, WebhookRecord};
use tokio::sync::Semaphore;

use crate::{caller::Caller, line::Line, problem::Problem, rates::Rates};

/// Settings of the API.
#[derive(Debug)]
pub struct Settings {
    /// The largest body of a request.
    pub most_body_bytes: usize,
    /// The largest event.
    pub most_event_bytes: usize,
    /// What stands for the token that opens everything, if one is set.
    pub admin_token: Option<TokenHash>,
    /// How many requests a token may make in a second.
    pub requests_per_second: u32,
    /// The origins whose pages may use the API.
    pub allow_origins: Vec<String>,
    /// How large rules may be.
    pub limits: Limits,
    /// Which addresses webhooks may have.
    pub addresses: AddressPolicy,
    /// The name servers that are asked for their hosts; the system's if there are none.
    pub name_servers: Vec<SocketAddr>,
    /// How many deliveries a replay publishes in a second.
    pub replays_per_second: u32,
}

/// What all handlers share.
pub(crate) struct Api {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) keys: KeyRing,
    pub(crate) line: Line,
    pub(crate) rates: Rates,
    pub(crate) receivers: Receivers,
    /// The schemas that events published over HTTP must fit.
    pub(crate) schemas: Mutex<Schemas>,
    /// Bounds the tests of webhooks that run.
    pub(crate) tests: Semaphore,
}

/// The state of the router.
pub(crate) type Shared = Arc<Api>;

impl Api {
    /// A webhook that the caller may see.
    pub(crate) async fn webhook(&self, caller: &Caller, id: WebhookId) -> Result<WebhookRecord, Problem> {
        let webhook = self.store.webhook(id).await?;
        match caller.sees_rules(&webhook.described.rules) {
            true => Ok(webhook),
            false => Err(Problem::not_found("webhook")),
        }
    }
}
