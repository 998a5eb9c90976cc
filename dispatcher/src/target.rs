//! Targets: webhooks made ready for attempts, with their URL read and their secrets open.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use posthorn_domain::{
    address::{AddressPolicy, Forbidden},
    id::WebhookId,
    keyring::{CannotOpen, KeyRing},
    signature::Secret,
    webhook::{State, Webhook},
};
use posthorn_store::Change;
use posthorn_trace::Attempt;
use url::Url;

use crate::metrics;

/// A webhook made ready for attempts.
pub(crate) struct Target {
    pub(crate) webhook: Arc<Webhook>,
    /// A URL that policy forbids fails every attempt with the reason.
    pub(crate) url: Result<Url, Forbidden>,
    secrets: Vec<(Secret, Option<Timestamp>)>,
}

/// The targets of all enabled webhooks.
pub(crate) struct Targets {
    keys: KeyRing,
    addresses: AddressPolicy,
    enabled: HashMap<WebhookId, Arc<Target>>,
}

impl Target {
    pub(crate) fn id(&self) -> WebhookId {
        self.webhook.id
    }

    /// The secrets that sign at this time.
    pub(crate) fn live_secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        let live = move |expires_at: &Option<Timestamp>| expires_at.is_none_or(|at| now < at);
        self.secrets.iter().filter(move |(_, expires_at)| live(expires_at)).map(|(secret, _)| secret)
    }

    /// What a trace tells of an attempt.
    pub(crate) fn span<'a>(&'a self, event_id: &'a str, attempt: u32) -> Attempt<'a> {
        let host = self.url.as_ref().ok().and_then(|url| url.host_str());
        Attempt { event_id, webhook_id: self.id(), number: attempt, host }
    }
}

impl Targets {
    pub(crate) fn new(keys: KeyRing, addresses: AddressPolicy) -> Self {
        Self { keys, addresses, enabled: HashMap::new() }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.enabled.values()
    }

    /// Takes changes in and tells each one's target, `None` where there is none any more.
    pub(crate) fn apply(&mut self, changes: Vec<Change>) -> Vec<(WebhookId, Option<Arc<Target>>)> {
        let applied = changes.into_iter().map(|change| match change {
            Change::Put(webhook) => (webhook.id, self.put(webhook)),
            Change::Gone(id) => {
                self.enabled.remove(&id);
                (id, None)
            }
        });
        applied.collect()
    }

    fn put(&mut self, webhook: Arc<Webhook>) -> Option<Arc<Target>> {
        let id = webhook.id;
        if webhook.state != State::Enabled {
            self.enabled.remove(&id);
            return None;
        }
        match self.prepare(webhook) {
            Ok(target) => {
                let target = Arc::new(target);
                self.enabled.insert(id, target.clone());
                Some(target)
            }
            // Nothing goes out unsigned: its queue waits, and no attempt is used up.
            Err(error) => {
                metrics::secret_unreadable();
                tracing::error!(webhook.id = %id, "delivers nothing to a webhook: {error}");
                self.enabled.remove(&id);
                None
            }
        }
    }

    fn prepare(&self, webhook: Arc<Webhook>) -> Result<Target, String> {
        let open = |secret: &posthorn_domain::webhook::LiveSecret| {
            Ok((self.keys.open(&secret.sealed, webhook.id)?, secret.expires_at))
        };
        let secrets = webhook.secrets.iter().map(open).collect::<Result<Vec<_>, CannotOpen>>();
        let secrets = secrets.map_err(|error| format!("{error}: check POSTHORN_SECRET_KEYS"))?;
        if secrets.is_empty() {
            return Err("it has no secret: give it one with `posthorn webhook rotate-secret`".to_owned());
        }
        Ok(Target { url: self.addresses.check_url(&webhook.url), secrets, webhook })
    }
}
