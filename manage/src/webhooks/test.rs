//! Tests of webhooks: a real attempt at once.

use std::{net::IpAddr, time::Instant};

use jiff::Timestamp;
use posthorn_attempt::{Answer, Request, Target};
use posthorn_domain::{event::Event, id::EventRef, outcome::Outcome};
use posthorn_matching::rule::Rule;
use posthorn_proto::v1;
use prost::Message;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    deliveries::{Header, Phases},
    error::{Error, Kind},
    ids,
    manage::Manage,
    metrics::{self, Refused},
    principal::{May, Tenant, Write},
};

/// The type of the event that a test sends.
const EVENT_TYPE: &str = "webhook.test";

/// What a test came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tested {
    /// The event that was sent: its `webhook-id`.
    #[schema(value_type = String)]
    pub event_ref: EventRef,
    /// Its id.
    pub event_id: String,
    /// `accepted`, `refused`, `gone` or `unreachable`.
    pub outcome: &'static str,
    /// The HTTP status.
    pub status: Option<u16>,
    /// Why there was no answer: dns, connect, tls, timeout, reset, blocked, invalid_reply.
    pub unreachable_class: Option<&'static str>,
    /// The same in words; where the receiver redirects, where to.
    pub error: Option<String>,
    /// Where it went, if there was no answer; only for tokens that see all companies.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// How long it took.
    pub duration_ms: u64,
    /// How long its parts took.
    pub phases: Phases,
    /// The answer's headers, as far as they are kept.
    pub response_headers: Vec<Header>,
    /// The beginning of the answer.
    pub response_body: Option<String>,
}

/// Makes a real, signed attempt at once with an event of the type `webhook.test`, whatever the webhook's rules
/// and state are, and tells what it came to. It changes nothing. Of the webhooks of one company, or with one
/// token, a few run at a time.
///
/// # Errors
/// If too many run, there is no such webhook, or its secret does not open.
pub async fn test(manage: &Manage, by: &May<Write>, id: &str) -> Result<Tested, Error> {
    let webhook = manage.webhook(by, ids::webhook(id)?).await?.described;
    let id = webhook.id;
    let company = Rule::only_company(&webhook.rules).map(|company| vec![company.to_owned()]);
    let tenant = company.map_or_else(|| by.tenant(), Tenant::Companies);
    let _running = manage.tests.try_take(tenant).ok_or_else(busy)?;
    let webhook = manage.store.webhooks.to_deliver_to(id).await?;
    let target = Target::prepare(&webhook, manage.keys()?, &manage.settings.addresses);
    let target = target.map_err(|unready| Error::new(Kind::Conflict, unready.to_string()))?;
    let event = event(&json!({ "webhook_id": id, "message": "This is a test from Posthorn." }).to_string());
    let request = Request {
        event: event.event_ref(),
        body: event.body(Timestamp::now()).into(),
        attempt: 1,
        trace: None,
    };
    // Noted before: no attempt is made that the audit log does not tell of.
    manage.store.access.note(&by.acts("webhook.test"), "webhook", &id.to_string(), None).await?;
    let started = Instant::now();
    let answer = manage.receivers()?.send(&target, request).await;
    let duration_ms = started.elapsed().as_millis() as u64;
    Ok(Tested::of(&event, answer, duration_ms, by.sees_addresses()))
}

fn busy() -> Error {
    metrics::refused(Refused::Tests);
    Error::new(Kind::TooManyRequests, "enough tests run already: try again when one has ended").after(1)
}

fn event(data: &str) -> Event {
    let event = v1::Event {
        id: Uuid::now_v7().to_string(),
        r#type: EVENT_TYPE.to_owned(),
        company_id: String::new(),
        project_id: String::new(),
        occurred_at: None,
        data: Some(v1::event::Data::Json(data.to_owned().into())),
    };
    Event::decode(&event.encode_to_vec().into(), usize::MAX).expect("an event of ours is one")
}

impl Tested {
    fn of(event: &Event, answer: Answer, duration_ms: u64, tells_addresses: bool) -> Self {
        let unreachable = answer.outcome.unreachable();
        let moved = answer.outcome.status().and_then(|status| Outcome::moved(status, &answer.headers));
        Self {
            event_ref: event.event_ref(),
            event_id: event.id.to_string(),
            outcome: answer.outcome.label(),
            status: answer.outcome.status(),
            unreachable_class: unreachable.map(|(class, _)| class.label()),
            error: unreachable.map(|(_, error)| error.to_owned()).or(moved),
            address: answer.address.filter(|_| unreachable.is_some() && tells_addresses),
            duration_ms,
            phases: answer.phases.into(),
            response_headers: answer.headers.into_iter().map(Header::from).collect(),
            response_body: Some(answer.body).filter(|body| !body.is_empty()),
        }
    }
}
