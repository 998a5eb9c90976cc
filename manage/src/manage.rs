//! What all use cases share.

use std::sync::Arc;

use posthorn_attempt::Receivers;
use posthorn_broker::Client;
use posthorn_domain::{
    address::AddressPolicy, error_chain::error_chain, id::WebhookId, keyring::KeyRing, token::TokenHash,
};
use posthorn_matching::{
    pattern::MOST_STEPS,
    rule::{Limits, Rule},
};
use posthorn_replay::send;
use posthorn_store::{AccessUpdate, Charge, Outgoing, Quotas, Store, WebhookRecord};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    access::Access,
    actions::Actions,
    checks::Checks,
    error::{Error, Kind},
    principal::{Principal, Tenant},
    rates::Rates,
    shares::Shares,
};

/// The most tests of webhooks that run at a time, and of those of one tenant.
const MOST_TESTS: usize = 32;
const MOST_TESTS_OF_ONE: usize = 4;
/// The most changes of webhooks that run at a time; those of one webhook run one after the other.
const MOST_CHANGES: usize = 1024;
/// Events over HTTP that a company may have published in a second unless something else is set.
const USUAL_EVENTS: u32 = 1000;
/// The largest event unless something else is set.
const USUAL_EVENT_BYTES: usize = 256 << 10;

/// Settings of the use cases.
#[derive(Debug)]
pub struct Settings {
    /// The largest event.
    pub most_event_bytes: usize,
    /// How many steps matching an event takes at most.
    pub most_match_steps: u64,
    /// What stands for the token that opens everything, if one is set.
    pub admin_token: Option<TokenHash>,
    /// How large rules may be.
    pub limits: Limits,
    /// Which addresses webhooks may have.
    pub addresses: AddressPolicy,
    /// What a company's webhooks may come to; `None` for whatever they do.
    pub quotas: Option<Quotas>,
    /// How many events of a company may be published in a second.
    pub company_events_per_second: u32,
}

impl Settings {
    /// Those of a command that is run by an operator with the right to the database: nothing is charged.
    pub fn of_command(addresses: AddressPolicy, limits: Limits) -> Self {
        Self {
            most_event_bytes: USUAL_EVENT_BYTES,
            most_match_steps: MOST_STEPS,
            admin_token: None,
            limits,
            addresses,
            quotas: None,
            company_events_per_second: USUAL_EVENTS,
        }
    }
}

/// What use cases work with.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The broker; without it nothing is sent, and nobody knows what waits.
    pub client: Option<Arc<Client>>,
    /// Encrypts secrets; without it none are made or shown.
    pub keys: Option<KeyRing>,
    /// Makes attempts; without it no webhook is tested.
    pub receivers: Option<Receivers>,
}

/// What all use cases share.
pub struct Manage {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    client: Option<Arc<Client>>,
    keys: Option<KeyRing>,
    receivers: Option<Receivers>,
    /// Events of each company.
    pub(crate) company_events: Rates<String>,
    /// Tokens and schemas that are known without asking the database.
    pub(crate) access: Access,
    /// Checks of data against schemas.
    pub(crate) checks: Checks,
    /// Tests of webhooks that run.
    pub(crate) tests: Shares<Tenant>,
    /// Changes of webhooks that run.
    pub(crate) changes: Shares<WebhookId>,
    /// Actions that run to their end whatever becomes of their requests.
    pub(crate) actions: Actions,
}

/// The same, shared with actions that outlive their requests.
pub type Shared = Arc<Manage>;

impl Manage {
    /// Prepares the use cases.
    pub fn new(parts: Parts, settings: Settings) -> Shared {
        let Parts { store, client, keys, receivers } = parts;
        Arc::new(Self {
            company_events: Rates::new(settings.company_events_per_second),
            access: Access::new(),
            checks: Checks::new(),
            tests: Shares::new(MOST_TESTS, MOST_TESTS_OF_ONE),
            changes: Shares::new(MOST_CHANGES, 1),
            actions: Actions::new(),
            settings,
            store,
            client,
            keys,
            receivers,
        })
    }

    /// Takes in what changes of tokens and schemas, until `stop`.
    pub async fn follow(&self, updates: mpsc::Receiver<AccessUpdate>, stop: &CancellationToken) {
        self.access.follow(updates, stop).await;
    }

    /// Waits until all that was begun has ended.
    pub async fn finish(&self) {
        self.actions.finish().await;
    }

    /// The keys, for what needs them.
    pub(crate) fn keys(&self) -> Result<&KeyRing, Error> {
        let missing = "this needs the keys of secrets: set POSTHORN_SECRET_KEYS";
        self.keys.as_ref().ok_or_else(|| Error::new(Kind::Conflict, missing))
    }

    /// The keys, for what may go without.
    pub(crate) fn known_keys(&self) -> Option<&KeyRing> {
        self.keys.as_ref()
    }

    /// RabbitMQ.
    pub(crate) fn client(&self) -> Result<&Client, Error> {
        let missing = "RabbitMQ is not known here";
        self.client.as_deref().ok_or_else(|| Error::new(Kind::Unavailable, missing))
    }

    /// Makes attempts.
    pub(crate) fn receivers(&self) -> Result<&Receivers, Error> {
        let missing = "webhooks are tested only over the management API";
        self.receivers.as_ref().ok_or_else(|| Error::new(Kind::Conflict, missing))
    }

    /// A webhook that the principal may see.
    pub(crate) async fn webhook(&self, by: &Principal, id: WebhookId) -> Result<WebhookRecord, Error> {
        let webhook = self.store.webhooks.get(id).await?;
        match by.sees_rules(&webhook.described.rules) {
            true => Ok(webhook),
            false => Err(Error::not_found("webhook")),
        }
    }

    /// How many deliveries wait in each webhook's queue; `None` where it cannot be told.
    pub(crate) async fn all_waiting(&self, ids: &[WebhookId]) -> Vec<Option<u32>> {
        match &self.client {
            Some(client) => client.waiting(ids).await,
            None => vec![None; ids.len()],
        }
    }

    /// The same of one.
    pub(crate) async fn waiting(&self, id: WebhookId) -> Option<u32> {
        self.all_waiting(&[id]).await.into_iter().next().flatten()
    }

    /// Whose quotas a webhook is charged to: the company that all its rules name. One that sees several
    /// counts for the installation, unless it is made with a token for these.
    pub(crate) fn charge(&self, by: &Principal, rules: &[Rule]) -> Option<Charge> {
        use posthorn_store::Tenant;
        let quotas = self.settings.quotas?;
        let of = match (Rule::only_company(rules), &by.companies) {
            (Some(company), _) => Tenant::Company(company.to_owned()),
            (None, Some(companies)) => Tenant::Several(companies.clone()),
            (None, None) => return None,
        };
        Some(Charge { of, quotas })
    }

    /// Sends what was promised. If that fails, the worker of the outbox does it later.
    pub(crate) async fn send(&self, promised: Outgoing) {
        let Some(client) = &self.client else { return };
        if let Err(error) = send(&self.store, client, promised).await {
            tracing::warn!("what was promised is sent later: {}", error_chain(&error));
        }
    }
}
