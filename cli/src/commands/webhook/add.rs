//! `posthorn webhook add`.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, anyhow, bail};
use posthorn_domain::{
    id::WebhookId,
    keyring::KeyRing,
    webhook::{DisablePolicy, owner},
};
use posthorn_matching::rule::Rule;
use posthorn_store::{Actor, NewWebhook};
use uuid::Uuid;

use super::{Add, record};
use crate::client::Answer;

const TIMEOUT: Duration = Duration::from_secs(15);
const IN_FLIGHT: u16 = 16;

impl Add {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let answer = match self.common.access.client()? {
            Some(api) => api.post(&["v1", "webhooks"], self.described.body(&self.url)?).await?,
            None => self.insert().await?,
        };
        self.common.print(&answer)
    }

    async fn insert(&self) -> anyhow::Result<Answer> {
        let keys = self.common.keys.ring()?;
        let webhook = self.check(&keys)?;
        let (secret, sealed) = keys.fresh_secret(webhook.id, rand::random(), rand::random());
        let store = self.common.store()?;
        let added = store.webhooks.add(&webhook, &sealed, None, &Actor::command("webhook.create")).await?;
        // Nothing waits yet. The broker is not asked: a router declares the queue a little later.
        let mut shown = record::shown(&added, Some(0), Some(&keys));
        shown["secret"] = secret.reveal().into();
        Ok(Answer::from(&shown))
    }

    fn check(&self, keys: &KeyRing) -> anyhow::Result<NewWebhook> {
        let described = &self.described;
        let url = self.addresses.policy().check_url(&self.url);
        let url = url.with_context(|| format!("the URL {} is not allowed", self.url))?;
        let (name, description) = (described.name.clone(), described.description.clone());
        let (id, headers) = (WebhookId(Uuid::now_v7()), described.headers());
        let webhook = NewWebhook {
            id,
            name: name.unwrap_or_default(),
            url: url.to_string(),
            rules: self.read_rules()?,
            timeout: described.timeout.unwrap_or(TIMEOUT),
            max_in_flight: described.max_in_flight.unwrap_or(IN_FLIGHT),
            disable_policy: described.disable_policy.unwrap_or(DisablePolicy::Exhausted),
            description: description.unwrap_or_default(),
            http2: described.http2.unwrap_or_default(),
            headers: keys.seal_headers(&headers, id, rand::random()),
            metadata: described.metadata(),
            contact: described.contact.clone(),
        };
        check_texts(&webhook, &headers)?;
        Ok(webhook)
    }

    fn read_rules(&self) -> anyhow::Result<Vec<Rule>> {
        let rules = self.described.rules_or_all()?;
        Rule::read_list(rules.get(), &self.filters.limits()).map_err(|problems| {
            let told: Vec<_> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
            anyhow!("the rules are wrong at{}", told.concat())
        })
    }
}

fn check_texts(webhook: &NewWebhook, headers: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let of = |what: &'static str| move |problem: String| anyhow!("the {what}: {problem}");
    owner::check_text(&webhook.name, owner::LONGEST_NAME).map_err(of("name"))?;
    owner::check_text(&webhook.description, owner::LONGEST_DESCRIPTION).map_err(of("description"))?;
    webhook.contact.as_deref().map_or(Ok(()), owner::check_contact).map_err(of("contact"))?;
    let entries =
        [("header", owner::check_headers(headers)), ("metadata", owner::check_metadata(&webhook.metadata))];
    for (what, wrong) in entries {
        if let Some((name, problem)) = wrong.first() {
            bail!("the {what} {}: {problem}", name.unwrap_or_default());
        }
    }
    Ok(())
}
