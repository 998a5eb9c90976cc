//! The targets of all enabled webhooks.

use std::{collections::HashMap, sync::Arc};

use posthorn_attempt::Target;
use posthorn_domain::{
    address::AddressPolicy,
    id::WebhookId,
    keyring::KeyRing,
    webhook::{State, Webhook, updates::Change},
};

use crate::metrics;

/// The targets of all enabled webhooks.
pub(crate) struct Targets {
    keys: KeyRing,
    addresses: AddressPolicy,
    enabled: HashMap<WebhookId, Arc<Target>>,
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
            Change::Put(webhook) => (webhook.id, self.put(&webhook)),
            Change::Gone(id) => {
                self.enabled.remove(&id);
                (id, None)
            }
        });
        applied.collect()
    }

    fn put(&mut self, webhook: &Webhook) -> Option<Arc<Target>> {
        let id = webhook.id;
        if webhook.state != State::Enabled {
            self.enabled.remove(&id);
            return None;
        }
        match Target::prepare(webhook, &self.keys, &self.addresses) {
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
}
