//! `posthorn webhook …`: the operator's commands, on the database.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use posthorn_domain::{
    Problem,
    id::WebhookId,
    pattern::Pattern,
    rule::{Limits, Rule},
    signature::Secret,
    webhook::{DisablePolicy, owner},
};
use posthorn_store::{Actor, NewWebhook, Store, WebhookRecord};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    commands::read_file,
    settings::{AddressSettings, BrokerSettings, DatabaseSettings, FilterSettings, KeySettings},
};

mod show;
mod waiting;

use show::Shown;

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Add a webhook and print its secret, once
    Add(Box<Add>),
    /// List all webhooks
    List(Common),
    /// Show one webhook
    Show(One),
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
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    broker: BrokerSettings,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The webhook's id, whk_…
    id: WebhookId,
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
    #[command(flatten)]
    keys: KeySettings,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Where deliveries go
    #[arg(long)]
    url: String,
    /// What people call it
    #[arg(long, default_value = "")]
    name: String,
    /// The event types it wants, such as todo.created,comment.* [default: all]
    #[arg(long, value_delimiter = ',', value_name = "TYPES", conflicts_with = "rules")]
    event_types: Option<Vec<String>>,
    /// Event types that it doesn't want among those
    #[arg(long, value_delimiter = ',', value_name = "TYPES", conflicts_with = "rules")]
    except_event_types: Option<Vec<String>>,
    /// The companies whose events it wants [default: all]
    #[arg(long, value_delimiter = ',', value_name = "IDS", conflicts_with = "rules")]
    companies: Option<Vec<String>>,
    /// The projects whose events it wants [default: all]
    #[arg(long, value_delimiter = ',', value_name = "IDS", conflicts_with = "rules")]
    projects: Option<Vec<String>>,
    /// Projects that it doesn't want among those
    #[arg(long, value_delimiter = ',', value_name = "IDS", conflicts_with = "rules")]
    except_projects: Option<Vec<String>>,
    /// A file with a pattern that the body must match, such as {"data": {"priority": [1, 2]}}
    #[arg(long, value_name = "FILE", conflicts_with = "rules")]
    pattern: Option<PathBuf>,
    /// A file with a JSON list of rules, for more than one rule
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// How many attempts each dispatcher makes at a time, 1 to 1000
    #[arg(long, default_value = "16", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    max_in_flight: u16,
    /// What disables it, a delivery whose last retry fails: always (exhausted), or only if nothing was
    /// accepted meanwhile (failing)
    #[arg(long, default_value = "exhausted", value_name = "POLICY")]
    disable_policy: DisablePolicy,
    /// The deadline of an attempt, 1s to 30s
    #[arg(long, default_value = "15s", value_name = "TIME", value_parser = read_timeout)]
    timeout: Duration,
    /// The e-mail address that is told when it fails
    #[arg(long, value_name = "ADDRESS", value_parser = read_contact)]
    contact: Option<String>,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    keys: KeySettings,
    #[command(flatten)]
    addresses: AddressSettings,
    #[command(flatten)]
    filters: FilterSettings,
}

fn read_timeout(text: &str) -> Result<Duration, String> {
    let timeout =
        humantime::parse_duration(text).map_err(|_| format!("`{text}` is not a time such as 15s"))?;
    match (Duration::from_secs(1)..=Duration::from_secs(30)).contains(&timeout) {
        true => Ok(timeout),
        false => Err("a timeout is 1s to 30s".to_owned()),
    }
}

fn read_contact(text: &str) -> Result<String, String> {
    owner::check_contact(text).map(|()| text.to_owned())
}

impl WebhookCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add(add) => add.run().await,
            Self::List(common) => list(&common).await,
            Self::Show(one) => one.run(async |store, id| store.webhook(id).await).await,
            Self::Enable(one) => {
                one.run(async |store, id| store.enable_webhook(id, &Actor::command("webhook.enable")).await)
                    .await
            }
            Self::Disable(one) => {
                one.run(async |store, id| store.disable_webhook(id, &Actor::command("webhook.disable")).await)
                    .await
            }
            Self::Pause(one) => {
                one.run(async |store, id| store.pause_webhook(id, &Actor::command("webhook.pause")).await)
                    .await
            }
            Self::Resume(one) => {
                one.run(async |store, id| store.resume_webhook(id, &Actor::command("webhook.resume")).await)
                    .await
            }
            Self::Remove(one) => {
                one.run(async |store, id| store.delete_webhook(id, &Actor::command("webhook.delete")).await)
                    .await
            }
            Self::RotateSecret(rotate) => rotate.run().await,
        }
    }
}

impl Common {
    fn store(&self) -> anyhow::Result<Store> {
        Ok(Store::new(&self.database.url()?, 1)?)
    }

    async fn print(&self, webhook: &WebhookRecord, secret: Option<&Secret>) -> anyhow::Result<()> {
        let ids = [webhook.described.id];
        let waiting = waiting::of(&self.broker, &ids).await;
        let shown = Shown { webhook, waiting: waiting[0], secret };
        match self.json {
            true => println!("{:#}", shown.json()),
            false => shown.print(),
        }
        Ok(())
    }
}

async fn list(common: &Common) -> anyhow::Result<()> {
    let webhooks = common.store()?.webhooks().await?;
    let ids: Vec<_> = webhooks.iter().map(|webhook| webhook.described.id).collect();
    let waiting = waiting::of(&common.broker, &ids).await;
    let shown =
        webhooks.iter().zip(waiting).map(|(webhook, waiting)| Shown { webhook, waiting, secret: None });
    match common.json {
        true => println!("{:#}", Value::Array(shown.map(|shown| shown.json()).collect())),
        false => show::table(shown.collect()),
    }
    Ok(())
}

impl One {
    async fn run(
        self,
        act: impl AsyncFnOnce(&Store, WebhookId) -> Result<WebhookRecord, posthorn_store::StoreError>,
    ) -> anyhow::Result<()> {
        let webhook = act(&self.common.store()?, self.id).await?;
        self.common.print(&webhook, None).await
    }
}

impl Rotate {
    async fn run(self) -> anyhow::Result<()> {
        let keys = self.keys.ring()?;
        let (secret, sealed) = keys.fresh_secret(self.one.id, rand::random(), rand::random());
        let actor = Actor::command("webhook.rotate_secret");
        let store = self.one.common.store()?;
        let webhook = store.rotate_secret(self.one.id, &sealed, self.overlap, &actor).await?;
        self.one.common.print(&webhook, Some(&secret)).await
    }
}

impl Add {
    async fn run(self) -> anyhow::Result<()> {
        let keys = self.keys.ring()?;
        let url = self.addresses.policy().check_url(&self.url);
        let url = url.with_context(|| format!("the URL {} is not allowed", self.url))?;
        owner::check_text(&self.name, owner::LONGEST_NAME)
            .map_err(|problem| anyhow!("the name: {problem}"))?;
        let id = WebhookId(Uuid::now_v7());
        let (secret, sealed) = keys.fresh_secret(id, rand::random(), rand::random());
        let webhook = NewWebhook {
            id,
            name: self.name.clone(),
            url: url.into(),
            rules: self.read_rules()?,
            timeout: self.timeout,
            max_in_flight: self.max_in_flight,
            disable_policy: self.disable_policy,
            description: String::new(),
            headers: BTreeMap::new(),
            metadata: BTreeMap::new(),
            contact: self.contact.clone(),
        };
        let store = self.common.store()?;
        store.add_webhook(&webhook, &sealed, &Actor::command("webhook.create")).await?;
        self.common.print(&store.webhook(id).await?, Some(&secret)).await
    }

    fn read_rules(&self) -> anyhow::Result<Vec<Rule>> {
        let limits = self.filters.limits();
        let read = match &self.rules {
            Some(file) => Rule::read_list(&read_file(file)?, &limits),
            None => self.read_rule(&limits)?,
        };
        read.map_err(|problems| {
            let told: Vec<_> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
            anyhow::anyhow!("the rules are wrong at{}", told.concat())
        })
    }

    /// One rule, from flags.
    fn read_rule(&self, limits: &Limits) -> anyhow::Result<Result<Vec<Rule>, Vec<Problem>>> {
        let rules = Rule::read_list(&json!([self.rule()]).to_string(), limits);
        let Some(file) = &self.pattern else { return Ok(rules) };
        let pattern = Pattern::parse_within(&read_file(file)?, &limits.pattern).map_err(|mut problems| {
            problems.iter_mut().for_each(|problem| problem.pointer.insert_str(0, "/0/pattern"));
            problems
        });
        Ok(match (rules, pattern) {
            (Ok(mut rules), Ok(pattern)) => {
                rules.iter_mut().for_each(|rule| rule.pattern = Some(pattern.clone()));
                Ok(rules)
            }
            (rules, pattern) => Err([rules.err(), pattern.err()].into_iter().flatten().flatten().collect()),
        })
    }

    fn rule(&self) -> Value {
        let lists = [
            ("event_types", &self.event_types),
            ("except_event_types", &self.except_event_types),
            ("companies", &self.companies),
            ("projects", &self.projects),
            ("except_projects", &self.except_projects),
        ];
        let given =
            lists.into_iter().filter_map(|(name, list)| Some((name.to_owned(), json!(list.as_ref()?))));
        Value::Object(given.collect::<Map<_, _>>())
    }
}
