//! A webhook as it is shown.

use std::collections::BTreeMap;

use jiff::Timestamp;
use posthorn_domain::{
    id::WebhookId,
    keyring::KeyRing,
    signature::Secret,
    token::Scope,
    webhook::{Condition, DisablePolicy, DisabledReason},
};
use posthorn_matching::rule::{Limits, Rule};
use posthorn_store::{NewWebhook, WebhookRecord};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Value, value::RawValue};
use utoipa::ToSchema;

use crate::{error::Error, manage::Manage, principal::Principal, schema, version::Versioned};

/// A webhook.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// `whk_…`
    #[schema(value_type = String, example = "whk_0192f0c1d2e37a4bb5c6d7e8f9a0b1c2")]
    pub id: WebhookId,
    /// What people call it.
    pub name: String,
    /// What people say about it.
    pub description: String,
    /// Where deliveries go.
    pub url: String,
    /// Which events it wants.
    #[schema(value_type = Vec<schema::Rule>)]
    #[serde(deserialize_with = "read_rules")]
    pub rules: Vec<Rule>,
    /// Headers of its own for every request; without the scope `write` their values are null.
    pub headers: BTreeMap<String, Option<String>>,
    /// Whether attempts may speak HTTP/2, if the receiver offers it.
    pub http2: bool,
    /// The deadline of an attempt.
    pub timeout_ms: u64,
    /// How many attempts each dispatcher makes at a time.
    pub max_in_flight: u16,
    /// What disables it.
    #[schema(value_type = schema::DisablePolicy)]
    pub disable_policy: DisablePolicy,
    /// What its owner wants to remember of it.
    pub metadata: BTreeMap<String, String>,
    /// The e-mail address that is told when it fails.
    pub contact: Option<String>,
    /// Its state.
    #[schema(value_type = schema::Condition)]
    pub state: Condition,
    /// Why and since when it is disabled; null unless it is.
    pub disabled: Option<Disabled>,
    /// Rises when it is enabled again: attempts count from 1 in each epoch.
    pub epoch: u32,
    /// Deliveries in its queue; null if RabbitMQ does not tell.
    pub waiting: Option<u32>,
    /// Since when the delivery waits that has waited longest, of those that have failed and will be tried
    /// again and, of the latest 1,000 events, of those that were never tried; only where one webhook is
    /// shown.
    pub oldest_waiting_at: Option<Timestamp>,
    /// When an attempt was accepted last.
    pub last_accepted_at: Option<Timestamp>,
    /// When an attempt failed last.
    pub last_failed_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// The secret that signs; only in the answer to the request that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false, example = "whsec_…")]
    pub secret: Option<String>,
}

/// Why and since when a webhook is disabled.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Disabled {
    /// `exhausted`: a delivery's last retry failed; `gone`: the receiver answered 410; `operator`: a person.
    #[schema(value_type = String)]
    pub reason: DisabledReason,
    /// Since when.
    pub at: Option<Timestamp>,
    /// The outcome of the attempt that disabled it; null if a person did.
    #[schema(value_type = Option<Object>)]
    pub outcome: Option<Value>,
}

impl Webhook {
    /// A webhook as this principal sees it.
    pub(crate) fn of(manage: &Manage, by: &Principal, webhook: WebhookRecord, waiting: Option<u32>) -> Self {
        let state = webhook.condition();
        let headers = headers(&webhook.described, by, manage.known_keys());
        Self {
            id: webhook.described.id,
            name: webhook.described.name,
            description: webhook.described.description,
            url: webhook.described.url,
            rules: webhook.described.rules,
            headers,
            http2: webhook.described.http2,
            timeout_ms: webhook.described.timeout.as_millis() as u64,
            max_in_flight: webhook.described.max_in_flight,
            disable_policy: webhook.described.disable_policy,
            metadata: webhook.described.metadata,
            contact: webhook.described.contact,
            state,
            disabled: webhook.disabled_reason.map(|reason| Disabled {
                reason,
                at: webhook.disabled_at,
                outcome: webhook.disabled_outcome,
            }),
            epoch: webhook.epoch,
            waiting,
            oldest_waiting_at: None,
            last_accepted_at: webhook.last_accepted_at,
            last_failed_at: webhook.last_failed_at,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
            secret: None,
        }
    }

    /// The same with its secret, which is shown once.
    pub(crate) fn with_secret(self, secret: &Secret) -> Self {
        Self { secret: Some(secret.reveal()), ..self }
    }
}

/// Headers by name, with their values if the principal may see them, and if they open.
fn headers(webhook: &NewWebhook, by: &Principal, keys: Option<&KeyRing>) -> BTreeMap<String, Option<String>> {
    let keys = keys.filter(|_| by.has(Scope::Write));
    let told = keys.and_then(|keys| keys.open_headers(&webhook.headers, webhook.id).ok());
    let value = |name: &String| told.as_ref().and_then(|values| values.get(name).cloned());
    webhook.headers.names.iter().map(|name| (name.clone(), value(name))).collect()
}

fn read_rules<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Rule>, D::Error> {
    let rules = Box::<RawValue>::deserialize(from)?;
    let read = Rule::read_list(rules.get(), &Limits::HIGHEST);
    read.map_err(|_| de::Error::custom("they are no rules"))
}

/// A webhook with all that is known of it, and its version.
pub(super) async fn shown(
    manage: &Manage,
    by: &Principal,
    webhook: WebhookRecord,
) -> Result<Versioned<Webhook>, Error> {
    let (id, revision) = (webhook.described.id, webhook.revision);
    let (waiting, oldest) = tokio::join!(manage.waiting(id), manage.store.history.oldest_waiting(id));
    let view = Webhook { oldest_waiting_at: oldest?, ..Webhook::of(manage, by, webhook, waiting) };
    Ok(Versioned { view, revision })
}
