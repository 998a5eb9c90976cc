//! `posthorn webhook …`: over the management API, or by the operator on the database.

use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};
use posthorn_domain::{id::WebhookId, webhook::Condition};
use posthorn_manage::{
    Error, Expected, Kind, Manage, Once, Shared,
    webhooks::{self, Webhook},
};
use serde_json::{Value, json};

use crate::{
    client::{Answer, Client, LONGEST_PAGE},
    commands::{
        database::{self, Needed, operator},
        show,
    },
    settings::{
        AccessSettings, AddressSettings, BrokerSettings, DatabaseSettings, FilterSettings, KeySettings,
    },
};

mod add;
mod described;
mod record;

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
    /// Only those that are healthy, failing, paused or disabled
    #[arg(long)]
    state: Option<Condition>,
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

    async fn perform(self, manage: &Manage, id: &str) -> Result<Webhook, Error> {
        let (read, write) = (operator()?, operator()?);
        let shown = match self {
            Self::Show => webhooks::show(manage, &read, id).await?,
            Self::Enable => webhooks::enable(manage, &write, id).await?,
            Self::Disable => webhooks::disable(manage, &write, id).await?,
            Self::Pause => webhooks::pause(manage, &write, id).await?,
            Self::Resume => webhooks::resume(manage, &write, id).await?,
            Self::Remove => {
                let removed = webhooks::show(manage, &read, id).await?;
                webhooks::delete(manage, &write, id, &Expected::AnyVersion).await?;
                removed
            }
        };
        Ok(shown.view)
    }
}

impl Common {
    /// The use cases on the database; the values of headers are told only where the keys are set.
    fn manage(&self) -> anyhow::Result<Shared> {
        let (broker, keys) = (Some(&self.broker), self.keys.ring().ok());
        database::manage(&self.database, Needed { broker, keys, ..Needed::default() })
    }

    fn print(&self, answer: &Answer) -> anyhow::Result<()> {
        record::print(self.json, answer)
    }
}

/// An error about this webhook, which it names.
fn about(id: WebhookId, error: Error) -> anyhow::Error {
    match error.kind {
        Kind::NotFound => anyhow!("there is no webhook {id}"),
        _ => error.into(),
    }
}

impl One {
    async fn run(self, verb: Verb) -> anyhow::Result<()> {
        let answer = match self.common.access.client()? {
            Some(api) => verb.ask(&api, &self.id.to_string()).await?,
            None => {
                let manage = self.common.manage()?;
                let done = verb.perform(&manage, &self.id.to_string()).await;
                Answer::of(&done.map_err(|error| about(self.id, error))?)?
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
        let listed = match common.access.client()? {
            Some(api) => {
                let state = state.map(|state| state.to_string());
                let query =
                    [("state", state), ("url", url), ("company", company), ("event_type", event_type)];
                api.list(&["v1", "webhooks"], &query, usize::MAX).await?
            }
            None => {
                let (manage, by) = (common.manage()?, operator()?);
                let page = async |cursor| {
                    let (url, company, event_type) = (url.clone(), company.clone(), event_type.clone());
                    let asked =
                        webhooks::List { limit: Some(LONGEST_PAGE), cursor, state, url, company, event_type };
                    webhooks::list(&manage, &by, asked).await
                };
                database::all(page).await?
            }
        };
        record::print_all(common.json, &listed)
    }
}

impl Rotate {
    async fn run(self) -> anyhow::Result<()> {
        let Self { one: One { id, common }, overlap } = self;
        let body = json!({ "overlap_seconds": overlap.as_secs() }).to_string();
        let text = id.to_string();
        if let Some(api) = common.access.client()? {
            return common.print(&api.post(&["v1", "webhooks", &text, "rotate-secret"], body).await?);
        }
        common.keys.ring()?;
        let (manage, by, input) = (common.manage()?, operator()?, database::input(&body)?);
        let rotated = webhooks::rotate_secret(&manage, &by, &text, Once::default(), input).await;
        common.print(&Answer::of(&rotated.map_err(|error| about(id, error))?.value.view)?)
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
