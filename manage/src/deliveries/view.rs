//! Deliveries and attempts as they are shown.

use std::net::IpAddr;

use jiff::Timestamp;
use posthorn_domain::{
    delivery,
    event::ContentDigest,
    id::{EventRef, WebhookId},
    outcome::{self, Outcome, OutcomeKind, UnreachableClass},
    step::StepKind,
};
use posthorn_store::AttemptRecord;
use serde::Serialize;
use utoipa::ToSchema;

use crate::principal::Principal;

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for its first attempt.
    Waiting,
    /// It waits for its next attempt.
    Retrying,
    /// The receiver has accepted it.
    Succeeded,
    /// Its last retry failed, or the receiver wants no more.
    Failed,
}

impl State {
    /// What the step of its latest attempt says.
    pub(crate) fn after(step: Option<StepKind>) -> Self {
        match delivery::State::after(step) {
            delivery::State::Waiting => Self::Waiting,
            delivery::State::Retrying => Self::Retrying,
            delivery::State::Succeeded => Self::Succeeded,
            delivery::State::Failed => Self::Failed,
        }
    }
}

/// How long the parts of an attempt took, one after the other, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Phases {
    /// Looking up the host's name; null if there was no need to.
    pub dns_ms: Option<i64>,
    /// Connecting, with the TLS handshake; null on a connection that was there.
    pub connect_ms: Option<i64>,
    /// From then to the answer's headers, or to the end without an answer.
    pub first_byte_ms: Option<i64>,
}

/// A header of an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl From<(String, String)> for Header {
    fn from((name, value): (String, String)) -> Self {
        Self { name, value }
    }
}

impl From<outcome::Phases> for Phases {
    fn from(phases: outcome::Phases) -> Self {
        let millis = |time: std::time::Duration| time.as_millis() as i64;
        Self {
            dns_ms: phases.dns.map(millis),
            connect_ms: phases.connect.map(millis),
            first_byte_ms: Some(millis(phases.first_byte)),
        }
    }
}

/// A delivery, with its latest attempt.
#[derive(Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// The event: the `webhook-id` that receivers see.
    #[schema(value_type = String)]
    pub event_ref: EventRef,
    /// Its producer's id, unique within its company.
    pub event_id: String,
    /// Its company.
    pub company_id: String,
    /// Its type.
    pub event_type: String,
    /// The webhook.
    #[schema(value_type = String)]
    pub webhook_id: WebhookId,
    /// How far it is.
    pub state: State,
    /// The latest attempt.
    pub last_attempt: Attempt,
}

/// A delivery with all its attempts.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryDetail {
    /// The event: the `webhook-id` that receivers see.
    #[schema(value_type = String)]
    pub event_ref: EventRef,
    /// Its producer's id, unique within its company.
    pub event_id: String,
    /// Its company.
    pub company_id: String,
    /// Its type.
    pub event_type: String,
    /// The webhook.
    #[schema(value_type = String)]
    pub webhook_id: WebhookId,
    /// How far it is.
    pub state: State,
    /// Its attempts, the first first; of very many the latest 200.
    pub attempts: Vec<Attempt>,
}

/// One HTTP request.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attempt {
    /// Counted from 1; again from 1 after the webhook was enabled, and after a redelivery.
    pub attempt: i32,
    /// The webhook's epoch.
    pub epoch: i32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: i32,
    /// How long its parts took.
    pub phases: Phases,
    /// `accepted`, `refused`, `gone`, `unreachable` or `interrupted`.
    #[schema(value_type = String)]
    pub outcome: OutcomeKind,
    /// The HTTP status.
    pub status: Option<u16>,
    /// Why there was no answer: dns, connect, tls, timeout, reset, blocked, invalid_reply.
    #[schema(value_type = Option<String>)]
    pub unreachable_class: Option<UnreachableClass>,
    /// The same in words; where a receiver redirects, where to.
    pub error: Option<String>,
    /// Where it went, if there was no answer; only for tokens that see all companies.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// The answer's headers, as far as they are kept: 32, each at most 512 bytes, and 4 KiB in all.
    pub response_headers: Vec<Header>,
    /// The beginning of the answer, at most 4 KiB.
    pub response_body: Option<String>,
    /// Which content was sent: `digest` of the event, or of one of its conflicts.
    pub digest: String,
    /// What followed: `succeed`, `retry`, `give_up`, or `disable` if the webhook was disabled because of it.
    #[schema(value_type = String)]
    pub step: StepKind,
    /// When the next one was due.
    pub next_attempt_at: Option<Timestamp>,
}

impl From<AttemptRecord> for Attempt {
    fn from(row: AttemptRecord) -> Self {
        let status = row.outcome.status();
        let (class, error) =
            row.outcome.unreachable().map(|(class, error)| (class, error.to_owned())).unzip();
        let moved = status.and_then(|status| Outcome::moved(status, &row.response_headers));
        let phases = Phases {
            dns_ms: row.dns_ms.map(Into::into),
            connect_ms: row.connect_ms.map(Into::into),
            first_byte_ms: row.first_byte_ms.map(Into::into),
        };
        Self {
            attempt: row.attempt,
            epoch: row.epoch,
            started_at: row.started_at,
            duration_ms: row.duration_ms,
            phases,
            outcome: row.outcome.kind(),
            status,
            unreachable_class: class,
            error: error.or(moved),
            address: row.address,
            response_headers: row.response_headers.into_iter().map(Header::from).collect(),
            response_body: row.response_body,
            digest: row.digest.to_string(),
            step: row.step.kind(),
            next_attempt_at: row.step.next_attempt(),
        }
    }
}

/// An attempt as this principal may see it.
pub(super) fn told(row: AttemptRecord, by: &Principal) -> AttemptRecord {
    let address = row.address.filter(|_| by.sees_addresses());
    AttemptRecord { address, ..row }
}

impl From<AttemptRecord> for Delivery {
    fn from(row: AttemptRecord) -> Self {
        Self {
            event_ref: row.event_ref,
            event_id: row.event_id.to_string(),
            company_id: row.company_id.clone(),
            event_type: row.event_type.clone(),
            webhook_id: row.webhook_id,
            state: State::after(Some(row.step.kind())),
            last_attempt: row.into(),
        }
    }
}

/// The latest attempt to send this content.
pub(crate) fn latest(attempts: &[AttemptRecord], content: ContentDigest) -> Option<&AttemptRecord> {
    attempts.iter().rev().find(|attempt| attempt.digest == content)
}
