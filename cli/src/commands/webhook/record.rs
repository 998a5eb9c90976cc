//! Webhooks as people and scripts see them: what the database has, as the API tells it.

use std::collections::BTreeMap;

use posthorn_domain::keyring::KeyRing;
use posthorn_store::{NewWebhook, Store, WebhookRecord};
use serde_json::{Value, json};

use super::waiting;
use crate::{
    client::{Answer, Listed},
    commands::show::{self, Column, column},
    settings::BrokerSettings,
};

const COLUMNS: [Column; 6] = [
    column("id", "/id"),
    column("name", "/name"),
    column("url", "/url"),
    column("state", "/state"),
    column("why", "/disabled/reason"),
    Column { heading: "waiting", pointer: "/waiting", null: "?" },
];

/// A webhook and what is told where only one is shown.
pub(super) async fn whole(
    store: &Store,
    broker: &BrokerSettings,
    keys: Option<&KeyRing>,
    webhook: &WebhookRecord,
) -> anyhow::Result<Value> {
    let id = webhook.described.id;
    let waiting = waiting::of(broker, &[id]).await;
    let mut shown = shown(webhook, waiting[0], keys);
    shown["oldest_waiting_at"] = json!(store.history.oldest_waiting(id).await?);
    Ok(shown)
}

/// A webhook as the API tells it.
pub(super) fn shown(webhook: &WebhookRecord, waiting: Option<u32>, keys: Option<&KeyRing>) -> Value {
    let described = &webhook.described;
    let disabled = webhook.disabled_reason.map(
        |reason| json!({ "reason": reason, "at": webhook.disabled_at, "outcome": webhook.disabled_outcome }),
    );
    json!({
        "id": described.id,
        "name": described.name,
        "description": described.description,
        "url": described.url,
        "rules": described.rules,
        "headers": headers(described, keys),
        "http2": described.http2,
        "timeout_ms": described.timeout.as_millis() as u64,
        "max_in_flight": described.max_in_flight,
        "disable_policy": described.disable_policy,
        "metadata": described.metadata,
        "contact": described.contact,
        "state": webhook.condition(),
        "disabled": disabled,
        "epoch": webhook.epoch,
        "waiting": waiting,
        "oldest_waiting_at": null,
        "last_accepted_at": webhook.last_accepted_at,
        "last_failed_at": webhook.last_failed_at,
        "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
    })
}

/// Headers by name, with their values if they open.
fn headers(webhook: &NewWebhook, keys: Option<&KeyRing>) -> BTreeMap<String, Option<String>> {
    let opened = keys.and_then(|keys| keys.open_headers(&webhook.headers, webhook.id).ok());
    let value = |name: &String| opened.as_ref().and_then(|values| values.get(name).cloned());
    webhook.headers.names.iter().map(|name| (name.clone(), value(name))).collect()
}

/// One webhook, with its secret if it is told.
pub(super) fn print(json: bool, answer: &Answer) -> anyhow::Result<()> {
    show::one(json, answer, |webhook| {
        show::sheet(webhook, &[]);
        if webhook.get("secret").is_some() {
            println!("\nThe secret is shown only now: give it to whoever verifies the webhook's signatures.");
        }
    })
}

/// Many webhooks, a row each.
pub(super) fn print_all(json: bool, listed: &Listed) -> anyhow::Result<()> {
    let none = "There are no webhooks. Add one with: posthorn webhook add --url https://example.com/hook";
    show::many(json, listed, &COLUMNS, none)
}
