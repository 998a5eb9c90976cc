//! What all handlers share.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use posthorn_attempt::Receivers;
use posthorn_broker::Client;
use posthorn_domain::{
    address::AddressPolicy, error_chain::error_chain, id::WebhookId, keyring::KeyRing, token::TokenHash,
};
use posthorn_matching::rule::Limits;
use posthorn_replay::send;
use posthorn_store::{Outgoing, Quotas, Store, WebhookRecord};
use uuid::Uuid;

use crate::{
    access::Access,
    actions::Actions,
    bodies::Bodies,
    caller::{Caller, Tenant},
    checks::Checks,
    problem::Problem,
    rates::Rates,
    shares::Shares,
};

/// Settings of the API.
#[derive(Debug)]
pub struct Settings {
    /// The largest body of a request.
    pub most_body_bytes: usize,
    /// The largest event.
    pub most_event_bytes: usize,
    /// How many steps matching an event takes at most.
    pub most_match_steps: u64,
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
    /// How many connections there are at a time.
    pub connections: usize,
    /// How long a connection may have no request.
    pub idle: Duration,
    /// How many bytes of bodies are held at a time.
    pub bodies_bytes: usize,
    /// What a company's webhooks may come to.
    pub quotas: Quotas,
    /// How many events of a company may be published in a second.
    pub company_events_per_second: u32,
    /// How many requests the tokens of a company may make in a second.
    pub company_requests_per_second: u32,
}

/// What all handlers share.
pub(crate) struct Api {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) keys: KeyRing,
    pub(crate) client: Arc<Client>,
    /// Requests of each token.
    pub(crate) rates: Rates<Uuid>,
    /// Requests of the tokens that see the same companies.
    pub(crate) company_requests: Rates<Vec<String>>,
    /// Events of each company.
    pub(crate) company_events: Rates<String>,
    pub(crate) receivers: Receivers,
    /// Tokens and schemas that are known without asking the database.
    pub(crate) access: Access,
    /// Checks of data against schemas.
    pub(crate) checks: Checks,
    /// Bodies that are held.
    pub(crate) bodies: Arc<Bodies>,
    /// Tests of webhooks that run.
    pub(crate) tests: Shares<Tenant>,
    /// Changes of webhooks that run.
    pub(crate) changes: Shares<WebhookId>,
    /// Actions that run to their end whatever becomes of their requests.
    pub(crate) actions: Actions,
}

/// The state of the router.
pub(crate) type Shared = Arc<Api>;

impl Api {
    /// Sends what was promised. If that fails, the worker of the outbox does it later.
    pub(crate) async fn send(&self, promised: Outgoing) {
        if let Err(error) = send(&self.store, &self.client, promised).await {
            tracing::warn!("what was promised is sent later: {}", error_chain(&error));
        }
    }

    /// A webhook that the caller may see.
    pub(crate) async fn webhook(&self, caller: &Caller, id: WebhookId) -> Result<WebhookRecord, Problem> {
        let webhook = self.store.webhooks.get(id).await?;
        match caller.sees_rules(&webhook.described.rules) {
            true => Ok(webhook),
            false => Err(Problem::not_found("webhook")),
        }
    }
}
