//! Webhooks as rows.

use std::{collections::BTreeMap, time::Duration};

use posthorn_domain::{
    id::WebhookId,
    keyring::{Sealed, SealedHeaders},
};
use posthorn_matching::rule::{Limits, Rule};
use serde_json::{Value, value::RawValue};
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use super::record::{NewWebhook, WebhookRecord};
use crate::{
    columns::{optional_word, word},
    error::StoreError,
};

pub(super) const SELECT: &str =
    "SELECT id, name, url, rules, timeout_ms, max_in_flight, disable_policy, state, disabled_reason,
       disabled_at, disabled_outcome, epoch, created_at, updated_at, last_accepted_at, last_failed_at,
       description, header_names, headers_key_id, headers_sealed, metadata, contact, http2, revision
FROM webhooks LEFT JOIN webhook_health ON webhook_id = id
WHERE state <> 'deleted'";

/// The webhook $1.
pub(super) fn one() -> String {
    format!("{SELECT} AND id = $1")
}

/// What its owner says of a webhook, as columns.
pub(super) struct Columns<'a> {
    webhook: &'a NewWebhook,
    rules: Json<&'a Vec<Rule>>,
    timeout: i32,
    in_flight: i32,
    policy: &'static str,
    key_id: Option<&'a String>,
    sealed: Option<&'a Vec<u8>>,
    metadata: Json<&'a BTreeMap<String, String>>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(webhook: &'a NewWebhook) -> Self {
        Self {
            webhook,
            rules: Json(&webhook.rules),
            timeout: webhook.timeout.as_millis() as i32,
            in_flight: i32::from(webhook.max_in_flight),
            policy: webhook.disable_policy.label(),
            key_id: webhook.headers.sealed.as_ref().map(|sealed| &sealed.key_id),
            sealed: webhook.headers.sealed.as_ref().map(|sealed| &sealed.bytes),
            metadata: Json(&webhook.metadata),
        }
    }

    pub(super) fn params(&self) -> [&(dyn ToSql + Sync); 14] {
        let Self { webhook, rules, timeout, in_flight, policy, key_id, sealed, metadata } = self;
        let NewWebhook { id, name, url, description, contact, http2, headers, .. } = webhook;
        let names = &headers.names;
        [
            &id.0,
            name,
            url,
            rules,
            timeout,
            in_flight,
            policy,
            description,
            metadata,
            contact,
            http2,
            names,
            key_id,
            sealed,
        ]
    }
}

pub(super) fn read(row: &Row) -> Result<WebhookRecord, StoreError> {
    let id = WebhookId(row.get("id"));
    let unreadable = || StoreError::unreadable(format!("webhook {id}"));
    Ok(WebhookRecord {
        described: NewWebhook {
            id,
            name: row.get("name"),
            url: row.get("url"),
            rules: read_rules(row).map_err(unreadable())?,
            timeout: read_timeout(row),
            max_in_flight: read_in_flight(row),
            disable_policy: word(row, "disable_policy").map_err(unreadable())?,
            description: row.get("description"),
            http2: row.get("http2"),
            headers: read_headers(row),
            metadata: read_texts(row, "metadata"),
            contact: row.get("contact"),
        },
        revision: row.get("revision"),
        state: word(row, "state").map_err(unreadable())?,
        disabled_reason: optional_word(row, "disabled_reason").map_err(unreadable())?,
        disabled_at: row.get("disabled_at"),
        disabled_outcome: row.get("disabled_outcome"),
        epoch: read_epoch(row),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
        last_accepted_at: row.get("last_accepted_at"),
        last_failed_at: row.get("last_failed_at"),
    })
}

/// An object of strings; what is none in it is left out.
fn read_texts(row: &Row, column: &str) -> BTreeMap<String, String> {
    let Json(object) = row.get::<_, Json<BTreeMap<String, Value>>>(column);
    let texts = object.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, text)),
        _ => None,
    });
    texts.collect()
}

pub(crate) fn read_headers(row: &Row) -> SealedHeaders {
    let key_id: Option<String> = row.get("headers_key_id");
    let bytes: Option<Vec<u8>> = row.get("headers_sealed");
    let sealed = key_id.zip(bytes).map(|(key_id, bytes)| Sealed { key_id, bytes });
    SealedHeaders { names: row.get("header_names"), sealed }
}

/// Reads them as they are written: a JSON value would round their numbers.
pub(crate) fn read_rules(row: &Row) -> Result<Vec<Rule>, String> {
    let Json(rules) = row.get::<_, Json<Box<RawValue>>>("rules");
    Rule::read_list(rules.get(), &Limits::HIGHEST).map_err(|problems| {
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        format!("its rules are wrong at {}", told.join("; "))
    })
}

pub(crate) fn read_timeout(row: &Row) -> Duration {
    Duration::from_millis(row.get::<_, i32>("timeout_ms").unsigned_abs().into())
}

pub(crate) fn read_in_flight(row: &Row) -> u16 {
    row.get::<_, i32>("max_in_flight").clamp(1, 1000) as u16
}

pub(crate) fn read_epoch(row: &Row) -> u32 {
    row.get::<_, i32>("epoch").unsigned_abs()
}
