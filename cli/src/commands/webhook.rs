//! `posthorn webhook …`: over the management API, or by the operator on the database.

use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use posthorn_domain::id::WebhookId;
use posthorn_store::{Actor, Store, StoreError, WebhookRecord};
use serde_json::{Value, json};

use crate::{
    client::{Answer, Client, Listed},
    commands::show,
    settings::{
        AccessSettings, AddressSettings, BrokerSettings, DatabaseSettings, FilterSettings, KeySettings,
    },
};

mod add;
mod described;
mod record;
mod waiting;

use described::Described;

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Add a webhook and print its secret, once
    Add(Box<Add>),
    /// List all webhooks
    List(List),
    /// Show one webhook
    Show(One),
    /// Change what was said of a webhook; only over the API
    Change(Box<Change>),
    /// Enable a disabled webhook; its backlog resumes, attempts count from 1 again
    Enable(One),
    /// Disable a webhook; its queue keeps what it holds, new events do not reach it
    Disable(One),
    /// Pause a webhook; its queue keeps what it holds, new events do not reach it
    Pause(One),
    /// Go on with a paused webhook
    Resume(One),
    /// Delete a webhook; its queue goes a little later with what it holds
    Remove(One),
    /// Give a webhook a new secret and print it, once
    RotateSecret(Rotate),
    /// Make a signed attempt at once and tell what came of it; exit status 1 unless it was accepted; only
    /// over the API
    Test(One),
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: AccessSettings,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    keys: KeySettings,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The webhook's id, whk_…
    id: WebhookId,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those that are healthy, failing, paused or disabled; like all filters, only over the API
    #[arg(long)]
    state: Option<String>,
    /// Only those whose URL holds this text
    #[arg(long, value_name = "TEXT")]
    url: Option<String>,
    /// Only those that may get events of this company
    #[arg(long, value_name = "ID")]
    company: Option<String>,
    /// Only those that may get events of this type
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    one: One,
    /// How long the old secret goes on signing beside the new one
    #[arg(long, default_value = "24h", value_parser = humantime::parse_duration, value_name = "TIME")]
    overlap: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Where deliveries go
    #[arg(long)]
    url: String,
    #[command(flatten)]
    described: Described,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    addresses: AddressSettings,
    #[command(flatten)]
    filters: FilterSettings,
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The webhook's id, whk_…
    id: WebhookId,
    /// Where deliveries go
    #[arg(long)]
    url: Option<String>,
    #[command(flatten)]
    described: Described,
    /// What goes back to its default, such as contact,headers.x-tenant
    #[arg(long, value_delimiter = ',', value_name = "FIELDS")]
    unset: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: AccessSettings,
}

/// What is done with one webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Show,
    Enable,
    Disable,
    Pause,
    Resume,
    Remove,
}

impl WebhookCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add(add) => add.run().await,
            Self::List(list) => list.run().await,
            Self::Show(one) => one.run(Verb::Show).await,
            Self::Change(change) => change.run().await,
            Self::Enable(one) => one.run(Verb::Enable).await,
            Self::Disable(one) => one.run(Verb::Disable).await,
            Self::Pause(one) => one.run(Verb::Pause).await,
            Self::Resume(one) => one.run(Verb::Resume).await,
            Self::Remove(one) => one.run(Verb::Remove).await,
            Self::RotateSecret(rotate) => rotate.run().await,
            Self::Test(one) => one.test().await,
        }
    }
}

impl Verb {
    async fn ask(self, api: &Client, id: &str) -> anyhow::Result<Answer> {
        let path = ["v1", "webhooks", id];
        let act = async |verb| api.act(&["v1", "webhooks", id, verb]).await;
        Ok(match self {
            Self::Show => api.get(&path, &[]).await?,
            Self::Enable => act("enable").await?,
            Self::Disable => act("disable").await?,
            Self::Pause => act("pause").await?,
            Self::Resume => act("resume").await?,
            Self::Remove => {
                let removed = api.get(&path, &[]).await?;
                api.delete(&path, &[]).await?;
                removed
            }
        })
    }

    async fn perform(self, store: &Store, id: WebhookId) -> Result<WebhookRecord, StoreError> {
        match self {
            Self::Show => store.webhooks.get(id).await,
            Self::Enable => store.webhooks.enable(id, &Actor::command("webhook.enable")).await,
            Self::Disable => store.webhooks.disable(id, &Actor::command("webhook.disable")).await,
            Self::Pause => store.webhooks.pause(id, &Actor::command("webhook.pause")).await,
            Self::Resume => store.webhooks.resume(id, &Actor::command("webhook.resume")).await,
            Self::Remove => store.webhooks.delete(id, &Actor::command("webhook.delete")).await,
        }
    }
}

impl Common {
    fn store(&self) -> anyhow::Result<Store> {
        Ok(Store::new(&self.database.url()?, 1)?)
    }

    /// The webhook as the API tells it; the values of its headers only where the keys are set.
    async fn error_chain(&self, store: &Store, webhook: &WebhookRecord) -> anyhow::Result<Value> {
        record::whole(store, &self.broker, self.keys.ring().ok().as_ref(), webhook).await
    }

    fn print(&self, answer: &Answer) -> anyhow::Result<()> {
        record::print(self.json, answer)
    }
}

impl One {
    async fn run(self, verb: Verb) -> anyhow::Result<()> {
        let answer = match self.common.access.client()? {
            Some(api) => verb.ask(&api, &self.id.to_string()).await?,
            None => {
                let store = self.common.store()?;
                let webhook = verb.perform(&store, self.id).await?;
                Answer::from(&self.common.error_chain(&store, &webhook).await?)
            }
        };
        self.common.print(&answer)
    }

    async fn test(self) -> anyhow::Result<()> {
        let api = self.common.access.needed()?;
        let tested = api.act(&["v1", "webhooks", &self.id.to_string(), "test"]).await?;
        show::one(self.common.json, &tested, |tested| show::sheet(tested, &[]))?;
        match tested.read::<Value>()?["outcome"].as_str() {
            Some("accepted") => Ok(()),
            _ => bail!("the receiver did not accept it"),
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let Self { state, url, company, event_type, common } = self;
        let query = [("state", state), ("url", url), ("company", company), ("event_type", event_type)];
        let listed = match common.access.client()? {
            Some(api) => api.list(&["v1", "webhooks"], &query, usize::MAX).await?,
            None if query.iter().any(|(_, value)| value.is_some()) => {
                bail!("filters go only over the management API: name it with --api or POSTHORN_API")
            }
            None => {
                let webhooks = common.store()?.webhooks.all().await?;
                let ids: Vec<_> = webhooks.iter().map(|webhook| webhook.described.id).collect();
                let waiting = waiting::of(&common.broker, &ids).await;
                let rows = webhooks.iter().zip(waiting);
                let keys = common.keys.ring().ok();
                rows.map(|(webhook, waiting)| record::shown(webhook, waiting, keys.as_ref()))
                    .collect::<Listed>()
            }
        };
        record::print_all(common.json, &listed)
    }
}

impl Rotate {
    async fn run(self) -> anyhow::Result<()> {
        let Self { one: One { id, common }, overlap } = self;
        if let Some(api) = common.access.client()? {
            let body = json!({ "overlap_seconds": overlap.as_secs() }).to_string();
            return common
                .print(&api.post(&["v1", "webhooks", &id.to_string(), "rotate-secret"], body).await?);
        }
        let (secret, sealed) = common.keys.ring()?.fresh_secret(id, rand::random(), rand::random());
        let store = common.store()?;
        let actor = Actor::command("webhook.rotate_secret");
        let webhook = store.webhooks.rotate_secret(id, &sealed, overlap, &actor).await?;
        let mut shown = common.error_chain(&store, &webhook).await?;
        shown["secret"] = secret.reveal().into();
        common.print(&Answer::from(&shown))
    }
}

impl Change {
    async fn run(self) -> anyhow::Result<()> {
        let api = self.access.needed()?;
        let patch = self.described.patch(self.url.as_deref(), &self.unset)?;
        let changed = api.patch(&["v1", "webhooks", &self.id.to_string()], patch).await?;
        record::print(self.json, &changed)
    }
}
