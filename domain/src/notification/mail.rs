//! The mail to a webhook's contact.

use super::{Kind, Notification};
use crate::{id::EventId, webhook::DisabledReason};

/// A plain text mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The id of the notification's event.
    pub event_id: EventId,
    /// The subject, one line.
    pub subject: String,
    /// The text.
    pub text: String,
}

impl Notification {
    /// The mail for the webhook's contact.
    pub fn mail(&self) -> Mail {
        let mut text = format!(
            "{}\n\nWebhook: {} ({})\nURL: {}\nSince: {}\nNotification: number {} about this webhook\n",
            self.what_happened(),
            self.called(),
            self.webhook_id,
            self.shown_url(),
            self.happened(),
            self.sequence,
        );
        if let Some(outcome) = &self.outcome {
            text.push_str(&format!("Last outcome: {}\n", one_line(&outcome.described())));
        }
        text.push_str(&format!("\n{}\n", self.what_to_do()));
        Mail { event_id: self.event_id(), subject: self.subject(), text }
    }

    fn subject(&self) -> String {
        let what = match self.kind {
            Kind::Failing => "is failing",
            Kind::Recovered => "has recovered",
            Kind::Disabled => "was disabled",
            Kind::Enabled => "was enabled",
        };
        format!("Webhook {} {what}", self.called())
    }

    fn called(&self) -> String {
        match self.name.as_str() {
            "" => self.webhook_id.to_string(),
            name => one_line(name),
        }
    }

    fn what_happened(&self) -> &'static str {
        match (self.kind, self.reason) {
            (Kind::Failing, _) => {
                "Deliveries to your webhook fail. One of them has used half of its retries."
            }
            (Kind::Recovered, _) => "Your webhook accepts deliveries again.",
            (Kind::Disabled, Some(DisabledReason::Gone)) => {
                "Your webhook was disabled: its receiver answered 410 Gone. It gets no more events."
            }
            (Kind::Disabled, Some(DisabledReason::Operator)) => {
                "Your webhook was disabled by a person. It gets no more events."
            }
            (Kind::Disabled, Some(DisabledReason::Exhausted) | None) => {
                "Your webhook was disabled: the last retry of a delivery failed. It gets no more events."
            }
            (Kind::Enabled, _) => "Your webhook was enabled. It gets events again.",
        }
    }

    fn what_to_do(&self) -> &'static str {
        match self.kind {
            Kind::Failing => {
                "What to do: see that the receiver answers with a 2xx status within its time. Failed \
                 deliveries are retried by themselves. When the last retry of one fails, the webhook is \
                 disabled."
            }
            Kind::Disabled => {
                "What to do: mend the receiver, then enable the webhook. Deliveries that wait in its queue \
                 go on then. Events that came while it was disabled do not."
            }
            Kind::Recovered | Kind::Enabled => "There is nothing to do.",
        }
    }
}

/// Replaces control characters, so that what a receiver or an owner wrote stays on one line.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
