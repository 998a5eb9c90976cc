//! Targets: webhooks made ready for attempts, with their URL read and their secrets open.

use std::time::Duration;

use jiff::Timestamp;
use posthorn_domain::{
    address::{AddressPolicy, Forbidden},
    id::WebhookId,
    keyring::{CannotOpen, KeyRing},
    signature::Secret,
    webhook::Webhook,
};
use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

/// A webhook made ready for attempts. It keeps nothing else of the webhook: a dispatcher has one for each.
pub struct Target {
    /// The webhook's id.
    pub id: WebhookId,
    /// The webhook's epoch.
    pub epoch: u32,
    /// How many attempts each dispatcher makes at a time.
    pub max_in_flight: u16,
    /// The deadline of an attempt, from name lookup to the last byte of the answer.
    pub(crate) timeout: Duration,
    /// A URL that policy forbids fails every attempt with the reason.
    pub(crate) url: Result<Url, Forbidden>,
    /// The headers that its owner wants.
    pub(crate) headers: Box<[(HeaderName, HeaderValue)]>,
    secrets: Box<[(Secret, Option<Timestamp>)]>,
}

/// Why nothing can be sent to a webhook: nothing goes out unsigned.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// A secret does not open.
    #[error("{0}: check POSTHORN_SECRET_KEYS")]
    Secret(#[from] CannotOpen),
    /// There is none.
    #[error("it has no secret: give it one with `posthorn webhook rotate-secret`")]
    NoSecret,
}

impl Target {
    /// Makes a webhook ready.
    ///
    /// # Errors
    /// If there is nothing to sign with.
    pub fn prepare(webhook: &Webhook, keys: &KeyRing, addresses: &AddressPolicy) -> Result<Self, Unready> {
        let open = |secret: &posthorn_domain::webhook::LiveSecret| {
            Ok((keys.open(&secret.sealed, webhook.id)?, secret.expires_at))
        };
        let secrets = webhook.secrets.iter().map(open).collect::<Result<Box<[_]>, CannotOpen>>()?;
        if secrets.is_empty() {
            return Err(Unready::NoSecret);
        }
        Ok(Self {
            id: webhook.id,
            epoch: webhook.epoch,
            max_in_flight: webhook.max_in_flight,
            timeout: webhook.timeout,
            url: addresses.check_url(&webhook.url).map(|url| url.parts().clone()),
            headers: headers(webhook),
            secrets,
        })
    }

    /// The host that attempts go to, if policy allows its URL.
    pub fn host(&self) -> Option<&str> {
        self.url.as_ref().ok()?.host_str()
    }

    /// The secrets that sign at this time.
    pub(crate) fn live_secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        let live = move |expires_at: &Option<Timestamp>| expires_at.is_none_or(|at| now < at);
        self.secrets.iter().filter(move |(_, expires_at)| live(expires_at)).map(|(secret, _)| secret)
    }
}

/// Those that were saved passed `domain::webhook`'s checks; what is no header all the same is left out.
fn headers(webhook: &Webhook) -> Box<[(HeaderName, HeaderValue)]> {
    let read = |(name, value): (&String, &String)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?))
    };
    webhook.headers.iter().filter_map(read).collect()
}
