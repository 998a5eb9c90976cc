//! Notifications about webhooks: as Posthorn's own events, and by mail.

use jiff::Timestamp;
use posthorn_matching::rule::Rule;
use posthorn_proto::v1::{self, event::Data};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    event::rfc3339_millis,
    id::{EventId, EventRef, WebhookId},
    outcome::{OutcomeKind, UnreachableClass},
    time,
    webhook::DisabledReason,
    words::words,
};

pub mod mail;

words! {
    /// What has happened to a webhook.
    Kind, "a kind of notification":
    /// A delivery has used half of its retries.
    Failing = "failing",
    /// Deliveries are accepted again that had used half of their retries.
    Recovered = "recovered",
    /// It gets no more deliveries.
    Disabled = "disabled",
    /// It gets deliveries again, because a person enabled it.
    Enabled = "enabled"
}

/// Something that has happened to a webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// What.
    pub kind: Kind,
    /// When.
    pub happened_at: Timestamp,
    /// To which webhook.
    pub webhook_id: WebhookId,
    /// Its place among all notifications about the webhook, counted from 1.
    pub sequence: u64,
    /// What people call it.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// Its rules, which say whose webhook it is.
    pub rules: Vec<Rule>,
    /// Its epoch then.
    pub epoch: u32,
    /// Why it is disabled.
    pub reason: Option<DisabledReason>,
    /// The outcome of the attempt that led to it.
    pub outcome: Option<LastOutcome>,
}

/// The outcome of an attempt, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastOutcome {
    /// What it came to.
    pub outcome: OutcomeKind,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub unreachable_class: Option<UnreachableClass>,
    /// The same in words.
    pub error: Option<String>,
    /// The event: its `webhook-id`.
    pub event_ref: EventRef,
    /// Its producer's id.
    pub event_id: EventId,
    /// Which attempt it was.
    pub attempt: u32,
    /// The beginning of the answer.
    #[serde(default)]
    pub response_body: String,
}

#[derive(Serialize)]
struct Body<'n> {
    sequence: u64,
    webhook: Subject<'n>,
    epoch: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<DisabledReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'n LastOutcome>,
}

#[derive(Serialize)]
struct Subject<'n> {
    id: WebhookId,
    name: &'n str,
    url: String,
}

impl Notification {
    /// The id of its event: always the same, however often it is published.
    pub fn event_id(&self) -> EventId {
        let Self { kind, webhook_id, sequence, .. } = self;
        EventId(format!("webhook_{kind}_{webhook_id}_{sequence}"))
    }

    /// Its event. It belongs to a company if the webhook does.
    pub fn event(&self) -> v1::Event {
        let webhook = Subject { id: self.webhook_id, name: &self.name, url: self.shown_url() };
        let body = Body {
            sequence: self.sequence,
            webhook,
            epoch: self.epoch,
            reason: self.reason,
            outcome: self.outcome.as_ref(),
        };
        let json = serde_json::to_vec(&body).expect("texts and numbers always serialize into memory");
        v1::Event {
            id: self.event_id().0,
            r#type: format!("webhook.{}", self.kind),
            company_id: Rule::only_company(&self.rules).unwrap_or_default().to_owned(),
            project_id: String::new(),
            occurred_at: Some(time::write(self.happened_at)),
            data: Some(Data::Json(json.into())),
        }
    }

    /// The URL without its query, where some keep a key.
    fn shown_url(&self) -> String {
        let Ok(mut url) = Url::parse(&self.url) else { return String::new() };
        let rest = if url.query().is_some() { "?…" } else { "" };
        url.set_query(None);
        format!("{url}{rest}")
    }

    fn happened(&self) -> String {
        rfc3339_millis(self.happened_at)
    }
}

impl LastOutcome {
    /// What came of the attempt, in words.
    pub fn described(&self) -> String {
        let what = match (self.outcome, self.status, &self.error) {
            (OutcomeKind::Gone, _, _) => "the receiver answered 410, it wants no more".to_owned(),
            (OutcomeKind::Interrupted, _, _) => "the attempt was cut off again and again".to_owned(),
            (OutcomeKind::Accepted | OutcomeKind::Refused, Some(status), _) => {
                format!("the receiver answered {status}")
            }
            (OutcomeKind::Unreachable, _, Some(error)) => format!("there was no answer: {error}"),
            (OutcomeKind::Accepted | OutcomeKind::Refused | OutcomeKind::Unreachable, _, _) => {
                "there was no answer".to_owned()
            }
        };
        format!("{what} (attempt {} of the event {})", self.attempt, self.event_id)
    }
}

#[cfg(test)]
mod tests;
