//! Targets: webhooks made ready for attempts, with their URL read and their secrets open.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use posthorn_domain::{
    address::{AddressPolicy, Forbidden, WebhookUrl},
    id::WebhookId,
    keyring::{CannotOpen, KeyRing},
    signature::Secret,
    tenant::Tenant,
    webhook::Webhook,
};
use url::Position;

use crate::mask::Masks;

/// What attempts need of a webhook, and no more: a dispatcher has one for each webhook.
pub struct Target {
    /// The webhook's id.
    pub id: WebhookId,
    /// The webhook's epoch.
    pub epoch: u32,
    /// Whose it is.
    pub tenant: Tenant,
    /// The host that attempts go to; empty if policy forbids its URL.
    pub host: Arc<str>,
    /// How many attempts each dispatcher makes at a time.
    pub max_in_flight: u16,
    /// The deadline of an attempt, from name lookup to the last byte of the answer.
    pub(crate) timeout: Duration,
    /// A URL that policy forbids fails every attempt with the reason.
    pub(crate) endpoint: Result<Endpoint, Forbidden>,
    /// The headers that its owner wants, their names in lower case.
    pub(crate) headers: Box<[(Box<str>, Box<str>)]>,
    /// What is hidden where the receiver echoes it.
    pub(crate) masks: Masks,
    secrets: Box<[(Secret, Option<Timestamp>)]>,
}

/// A webhook's URL, read.
pub(crate) struct Endpoint {
    pub(crate) origin: Arc<Origin>,
    /// Host and port, as requests name them.
    pub(crate) authority: Box<str>,
    /// Path and query.
    pub(crate) path: Box<str>,
}

/// What connections are kept for: those of one company are never used by another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// Whose webhooks use them.
    pub(crate) tenant: Tenant,
    pub(crate) is_tls: bool,
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
    /// Whether HTTP/2 may be spoken, if the receiver offers it.
    pub(crate) http2: bool,
}

/// Why no request can be signed for a webhook.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// A secret does not open.
    #[error("{0}: check POSTHORN_SECRET_KEYS")]
    Secret(#[from] CannotOpen),
    /// The headers of its own do not open.
    #[error("its headers are sealed: {0}: check POSTHORN_SECRET_KEYS")]
    Headers(#[source] CannotOpen),
    /// There is none.
    #[error("it has no secret: give it one with `posthorn webhook rotate-secret`")]
    NoSecret,
}

impl Target {
    /// Makes a webhook ready.
    ///
    /// # Errors
    /// If it has no secret to sign with.
    pub fn prepare(webhook: &Webhook, keys: &KeyRing, addresses: &AddressPolicy) -> Result<Self, Unready> {
        let open = |secret: &posthorn_domain::webhook::LiveSecret| {
            Ok((keys.open(&secret.sealed, webhook.id)?, secret.expires_at))
        };
        let secrets = webhook.secrets.iter().map(open).collect::<Result<Box<[_]>, CannotOpen>>()?;
        if secrets.is_empty() {
            return Err(Unready::NoSecret);
        }
        let own = keys.open_headers(&webhook.headers, webhook.id).map_err(Unready::Headers)?;
        let endpoint = addresses.check_url(&webhook.url).map(|url| Endpoint::new(&url, webhook));
        let host = endpoint.as_ref().map_or_else(|_| Default::default(), |one| one.origin.host.clone());
        Ok(Self {
            id: webhook.id,
            epoch: webhook.epoch,
            tenant: webhook.tenant.clone(),
            host,
            max_in_flight: webhook.max_in_flight,
            timeout: webhook.timeout,
            endpoint,
            masks: Masks::of(own.values().map(String::as_str)),
            headers: headers(&own),
            secrets,
        })
    }

    /// The secrets that sign at this time.
    pub(crate) fn live_secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        let live = move |expires_at: &Option<Timestamp>| expires_at.is_none_or(|at| now < at);
        self.secrets.iter().filter(move |(_, expires_at)| live(expires_at)).map(|(secret, _)| secret)
    }
}

/// Saved headers have passed the checks of `domain::webhook::owner`; any that is invalid all the same is skipped.
fn headers(own: &BTreeMap<String, String>) -> Box<[(Box<str>, Box<str>)]> {
    let read = |(name, value): (&String, &String)| {
        HeaderValue::from_str(value).ok()?;
        Some((HeaderName::try_from(name).ok()?.as_str().into(), value.as_str().into()))
    };
    own.iter().filter_map(read).collect()
}

impl Endpoint {
    fn new(written: &WebhookUrl, webhook: &Webhook) -> Self {
        let url = written.parts();
        let origin = Origin {
            tenant: webhook.tenant.clone(),
            is_tls: url.scheme() == "https",
            host: url.host_str().unwrap_or_default().into(),
            port: url.port_or_known_default().unwrap_or(443),
            http2: webhook.http2,
        };
        Self {
            authority: url[Position::BeforeHost..Position::AfterPort].into(),
            path: written.as_str()[url[..Position::BeforePath].len()..].into(),
            origin: Arc::new(origin),
        }
    }
}
