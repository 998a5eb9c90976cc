//! What an owner says of a webhook, read and checked.

use std::{collections::BTreeMap, time::Duration};

use posthorn_domain::{
    address::{AddressPolicy, Forbidden},
    id::WebhookId,
    keyring::{CannotOpen, SealedHeaders},
    webhook::{DisablePolicy, owner},
};
use posthorn_matching::rule::{Limits, Rule};
use posthorn_store::{NewWebhook, WebhookRecord};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use utoipa::ToSchema;

use crate::{
    error::{Error, Kind, Wrong},
    fields::{Fields, pointer_to, read},
    manage::Manage,
    principal::Principal,
    schema,
};

const TIMEOUT_MS: u32 = 15_000;
const IN_FLIGHT: u16 = 16;

/// A webhook as its owner describes it.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(title = "WebhookInput")]
pub struct WebhookInput {
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200, default = "")]
    pub name: Option<String>,
    /// What people say about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000, default = "")]
    pub description: Option<String>,
    /// Where deliveries go: https, a public address, no user name, no fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = true, nullable = false, value_type = String, max_length = 2048, example = "https://example.com/hook")]
    pub url: Option<String>,
    /// Which events it wants: those that match any rule, at most 20 unless set otherwise. The rule {} wants all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = true, nullable = false, value_type = Vec<schema::Rule>, min_items = 1)]
    pub rules: Option<Box<RawValue>>,
    /// Headers of its own for every request. Only tokens with the scope `write` see their values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// Whether attempts may speak HTTP/2, if the receiver offers it in the TLS handshake; else HTTP/1.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = false)]
    pub http2: Option<bool>,
    /// The deadline of an attempt, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1000, maximum = 30000, default = 15000)]
    pub timeout_ms: Option<u32>,
    /// How many attempts each dispatcher makes at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000, default = 16)]
    pub max_in_flight: Option<u16>,
    /// What disables it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::DisablePolicy>)]
    pub disable_policy: Option<DisablePolicy>,
    /// What its owner wants to remember of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// The e-mail address that is told when it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200, example = "ops@example.com")]
    pub contact: Option<String>,
}

impl WebhookInput {
    /// What was said of a webhook, with its headers opened.
    fn of(webhook: &NewWebhook, headers: BTreeMap<String, String>) -> Self {
        Self {
            name: Some(webhook.name.clone()),
            description: Some(webhook.description.clone()),
            url: Some(webhook.url.clone()),
            rules: to_raw_value(&webhook.rules).ok(),
            headers: Some(headers),
            http2: Some(webhook.http2),
            timeout_ms: u32::try_from(webhook.timeout.as_millis()).ok(),
            max_in_flight: Some(webhook.max_in_flight),
            disable_policy: Some(webhook.disable_policy),
            metadata: Some(webhook.metadata.clone()),
            contact: webhook.contact.clone(),
        }
    }

    /// Checks everything, and tells everything that is wrong.
    pub(crate) fn check(self, id: WebhookId, manage: &Manage, by: &Principal) -> Result<NewWebhook, Error> {
        let mut faults = Faults::default();
        let url = faults.url(self.url.as_deref(), &manage.settings.addresses);
        let rules = faults.rules(self.rules.as_deref(), &manage.settings.limits, by);
        let name = self.name.unwrap_or_default();
        faults.check("/name", owner::check_text(&name, owner::LONGEST_NAME));
        let description = self.description.unwrap_or_default();
        faults.check("/description", owner::check_text(&description, owner::LONGEST_DESCRIPTION));
        let headers = self.headers.unwrap_or_default();
        faults.entries("headers", owner::check_headers(&headers));
        let metadata = self.metadata.unwrap_or_default();
        faults.entries("metadata", owner::check_metadata(&metadata));
        let contact = self.contact;
        faults.check("/contact", contact.as_deref().map_or(Ok(()), owner::check_contact));
        let timeout = self.timeout_ms.unwrap_or(TIMEOUT_MS);
        faults.within("/timeout_ms", owner::TIMEOUT_MS.contains(&timeout), "it is 1000 to 30000");
        let max_in_flight = self.max_in_flight.unwrap_or(IN_FLIGHT);
        faults.within("/max_in_flight", owner::IN_FLIGHT.contains(&max_in_flight), "it is 1 to 1000");
        let (Some(url), Some(rules), true) = (url, rules, faults.0.is_empty()) else {
            return Err(Error::invalid(faults.0));
        };
        let timeout = Duration::from_millis(timeout.into());
        let disable_policy = self.disable_policy.unwrap_or(DisablePolicy::Exhausted);
        Ok(NewWebhook {
            id,
            name,
            url,
            rules,
            timeout,
            max_in_flight,
            disable_policy,
            description,
            http2: self.http2.unwrap_or_default(),
            headers: seal(manage, &headers, id)?,
            metadata,
            contact,
        })
    }
}

/// A webhook's description after a merge patch (RFC 7396): null takes a field away, and in `headers` and
/// `metadata` an entry.
pub(crate) fn patched(
    manage: &Manage,
    webhook: &WebhookRecord,
    patch: &Fields,
) -> Result<WebhookInput, Error> {
    let described = &webhook.described;
    let headers = match patch.get("headers").is_some_and(|value| value.get() == "null") {
        // What is taken away as a whole need not open.
        true => BTreeMap::new(),
        false => manage.keys()?.open_headers(&described.headers, described.id).map_err(sealed)?,
    };
    let written = serde_json::to_string(&WebhookInput::of(described, headers)).expect("it can be written");
    let mut fields: Fields = serde_json::from_str(&written).expect("we have just written it");
    merge(&mut fields, patch);
    read(&fields).map_err(Error::invalid)
}

/// Without headers no keys are needed.
fn seal(manage: &Manage, headers: &BTreeMap<String, String>, id: WebhookId) -> Result<SealedHeaders, Error> {
    match headers.is_empty() {
        true => Ok(SealedHeaders::default()),
        false => Ok(manage.keys()?.seal_headers(headers, id, rand::random())),
    }
}

fn sealed(error: CannotOpen) -> Error {
    let detail = format!(
        "its headers are sealed, {error}: check POSTHORN_SECRET_KEYS, or take them away with \"headers\": null"
    );
    Error::new(Kind::Conflict, detail)
}

fn merge(fields: &mut Fields, patch: &Fields) {
    for (name, value) in patch {
        let nested = |text: &RawValue| serde_json::from_str::<Fields>(text.get()).ok();
        match (value.get(), fields.get(name).and_then(|old| nested(old)), nested(value)) {
            ("null", _, _) => {
                fields.remove(name);
            }
            (_, Some(mut old), Some(new)) => {
                merge(&mut old, &new);
                fields.insert(name.clone(), to_raw_value(&old).expect("what was read can be written"));
            }
            _ => {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
}

#[derive(Default)]
struct Faults(Vec<Wrong>);

impl Faults {
    fn add<T>(&mut self, pointer: &str, code: &str, detail: impl Into<String>) -> Option<T> {
        self.0.push(Wrong::at(pointer, code, detail));
        None
    }

    fn url(&mut self, url: Option<&str>, addresses: &AddressPolicy) -> Option<String> {
        match url {
            None => self.add("/url", "required", "say where deliveries go"),
            Some(url) => match addresses.check_url(url) {
                Ok(url) => Some(url.to_string()),
                Err(too_long @ Forbidden::TooLong) => self.add("/url", "too_long", too_long.to_string()),
                Err(forbidden) => self.add("/url", "forbidden_url", forbidden.to_string()),
            },
        }
    }

    fn rules(&mut self, rules: Option<&RawValue>, limits: &Limits, by: &Principal) -> Option<Vec<Rule>> {
        let Some(rules) = rules else {
            return self.add("/rules", "required", "say which events it wants; [{}] wants all");
        };
        let rules = match Rule::read_list(rules.get(), limits) {
            Ok(rules) => rules,
            Err(problems) => {
                self.0.extend(problems.into_iter().map(|problem| Wrong::of("/rules", problem)));
                return None;
            }
        };
        let companies = by.companies.as_ref();
        let outside = |(_, rule): &(usize, &Rule)| companies.is_some_and(|own| !rule.is_within(own));
        for (place, _) in rules.iter().enumerate().filter(outside) {
            let detail = "this token makes only rules that name none but its companies";
            self.0.push(Wrong::at(format!("/rules/{place}/companies"), "outside_scope", detail));
        }
        Some(rules)
    }

    fn within(&mut self, pointer: &str, is_within: bool, detail: &str) {
        if !is_within {
            self.0.push(Wrong::at(pointer, "out_of_range", detail));
        }
    }

    fn check(&mut self, pointer: &str, checked: Result<(), String>) {
        self.0.extend(checked.err().map(|detail| Wrong::at(pointer, "bad_text", detail)));
    }

    fn entries(&mut self, field: &str, wrong: Vec<(Option<&str>, String)>) {
        for (name, detail) in wrong {
            let code = if name.is_some() { "bad_entry" } else { "too_many" };
            self.0.push(Wrong::at(pointer_to([field].into_iter().chain(name)), code, detail));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_merge_patch_takes_away_what_is_null_and_keeps_digits() {
        let mut old =
            fields(r#"{"name": "a", "url": "u", "headers": {"x-a": "1", "x-b": "2"}, "rules": [{}]}"#);
        let patch = r#"{"name": null, "headers": {"x-a": null, "x-c": "3"}, "rules": [{"n": 1.10}]}"#;
        merge(&mut old, &fields(patch));
        let expected = r#"{"headers":{"x-b":"2","x-c":"3"},"rules":[{"n": 1.10}],"url":"u"}"#;
        assert_eq!(serde_json::to_string(&old).unwrap(), expected);
    }
}
