//! Webhooks as people and scripts see them.

use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use posthorn_domain::signature::Secret;
use posthorn_store::WebhookRecord;
use serde_json::{Value, json};

/// A webhook and what is not in the database.
pub(crate) struct Shown<'a> {
    pub(crate) webhook: &'a WebhookRecord,
    pub(crate) waiting: Option<u32>,
    pub(crate) secret: Option<&'a Secret>,
}

impl Shown<'_> {
    pub(crate) fn json(&self) -> Value {
        let WebhookRecord { described, disabled_reason, disabled_at, disabled_outcome, epoch, .. } =
            self.webhook;
        let mut json = json!({
            "id": described.id,
            "name": described.name,
            "url": described.url,
            "rules": described.rules,
            "state": self.webhook.condition(),
            "disabled_reason": disabled_reason,
            "disabled_at": disabled_at,
            "disabled_outcome": disabled_outcome,
            "epoch": epoch,
            "timeout_ms": described.timeout.as_millis() as u64,
            "max_in_flight": described.max_in_flight,
            "disable_policy": described.disable_policy,
            "contact": described.contact,
            "created_at": self.webhook.created_at,
            "updated_at": self.webhook.updated_at,
            "last_accepted_at": self.webhook.last_accepted_at,
            "last_failed_at": self.webhook.last_failed_at,
            "waiting": self.waiting,
        });
        if let Some(secret) = self.secret {
            json["secret"] = secret.reveal().into();
        }
        json
    }

    /// One webhook, a line for each thing that there is to say.
    pub(crate) fn print(&self) {
        let json = self.json();
        let said =
            json.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null() && *value != "");
        for (name, value) in said {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            println!("{:<18}{text}", name.replace('_', " "));
        }
        if self.secret.is_some() {
            println!("\nThe secret is shown only now: give it to whoever verifies the webhook's signatures.");
        }
    }
}

/// Many webhooks, a row each.
pub(crate) fn table(webhooks: Vec<Shown<'_>>) {
    if webhooks.is_empty() {
        println!("There are no webhooks. Add one with: posthorn webhook add --url https://example.com/hook");
        return;
    }
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(["id", "name", "url", "state", "why", "waiting"]);
    for Shown { webhook, waiting, .. } in webhooks {
        let why = webhook.disabled_reason.map(|reason| reason.to_string()).unwrap_or_default();
        table.add_row([
            webhook.described.id.to_string(),
            webhook.described.name.clone(),
            webhook.described.url.clone(),
            webhook.condition().to_string(),
            why,
            waiting.map_or("?".to_owned(), |count| count.to_string()),
        ]);
    }
    println!("{table}");
}
