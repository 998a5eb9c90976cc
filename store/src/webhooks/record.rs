//! Webhooks as their owners describe them, and as people look at them.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use posthorn_domain::{
    id::WebhookId,
    keyring::SealedHeaders,
    webhook::{Condition, DisablePolicy, DisabledReason, State},
};
use posthorn_matching::rule::Rule;
use serde_json::Value;

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
    /// Whether attempts may speak HTTP/2, where the receiver offers it.
    pub http2: bool,
    /// Headers of its own for every request.
    pub headers: SealedHeaders,
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
