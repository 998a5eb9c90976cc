//! Webhooks, by the operator's commands.

use serde_json::Value;

use crate::App;

/// A webhook that a test added.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// `whk_…`
    pub id: String,
    /// `whsec_…`
    pub secret: String,
    /// Where it points to.
    pub url: String,
    /// All that `webhook add` printed.
    pub added: Value,
}

impl Webhook {
    /// The path of its URL, by which receivers tell webhooks apart.
    pub fn path(&self) -> &str {
        let start = self.url.find("//").map_or(0, |scheme| scheme + 2);
        self.url[start..].find('/').map_or("/", |slash| &self.url[start + slash..])
    }
}

impl App {
    /// Adds a webhook by `webhook add`.
    pub async fn add_webhook(&self, url: &str, options: &[&str]) -> Webhook {
        let arguments = [&["webhook", "add", "--url", url, "--json"], options].concat();
        let added = self.run(&arguments).await.json();
        Webhook { id: text(&added, "id"), secret: text(&added, "secret"), url: url.to_owned(), added }
    }

    /// Adds a webhook with these rules, given as JSON.
    pub async fn add_webhook_with_rules(&self, url: &str, rules: &Value) -> Webhook {
        let name = format!("rules-{}.json", uuid::Uuid::now_v7().simple());
        let file = self.file(&name, &rules.to_string());
        self.add_webhook(url, &["--rules", &file]).await
    }

    /// Runs `webhook COMMAND ID --json` and returns what it prints.
    pub async fn webhook(&self, command: &str, webhook: &Webhook) -> Value {
        self.run(&["webhook", command, &webhook.id, "--json"]).await.json()
    }

    /// The webhook's `state`.
    pub async fn state(&self, webhook: &Webhook) -> String {
        text(&self.webhook("show", webhook).await, "state")
    }

    /// How many messages wait in the webhook's queue, by `webhook show`.
    pub async fn waiting(&self, webhook: &Webhook) -> Option<u64> {
        self.webhook("show", webhook).await["waiting"].as_u64()
    }

    /// The name of the webhook's queue.
    pub fn queue(&self, webhook: &Webhook) -> String {
        self.name(&format!("webhook.{}", webhook.id))
    }
}

fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_else(|| panic!("no text `{field}` in {object}")).to_owned()
}
