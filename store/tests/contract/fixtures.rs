//! What the tests write.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use jiff::{Timestamp, ToSpan};
use posthorn_domain::{
    event::{ContentDigest, Event, Field},
    id::{AttemptId, WebhookId},
    journal::{Attempted, Dropped, Entry, Rejected, Routed},
    keyring::{Sealed, SealedHeaders},
    outcome::{Outcome, Phases},
    step::Step,
    webhook::DisablePolicy,
};
use posthorn_matching::rule::{Limits, Rule};
use posthorn_proto::v1;
use posthorn_store::{Actor, NewWebhook, Recorded, Recording, Store, WebhookRecord};
use prost::Message;
use uuid::Uuid;

pub(crate) const RECORDING: Recording =
    Recording { retries: 5, most_seen: 100, most_rejected_bytes: 1 << 20 };

pub(crate) fn actor(action: &'static str) -> Actor {
    Actor::command(action)
}

/// Now, in whole microseconds: what a store keeps of a time.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_microsecond(Timestamp::now().as_microsecond()).expect("now is a time")
}

pub(crate) fn rules(json: &str) -> Vec<Rule> {
    Rule::read_list(json, &Limits::HIGHEST).expect("the rules are good")
}

pub(crate) fn described(name: &str) -> NewWebhook {
    NewWebhook {
        id: WebhookId(Uuid::now_v7()),
        name: name.to_owned(),
        url: "https://example.com/hook".to_owned(),
        rules: rules("[{}]"),
        timeout: Duration::from_secs(15),
        max_in_flight: 16,
        disable_policy: DisablePolicy::Exhausted,
        description: String::new(),
        http2: false,
        headers: SealedHeaders::default(),
        metadata: BTreeMap::new(),
        contact: None,
    }
}

pub(crate) fn sealed(text: &str) -> Sealed {
    Sealed { key_id: "test".to_owned(), bytes: text.as_bytes().to_vec() }
}

pub(crate) async fn add(store: &Store, webhook: &NewWebhook) -> WebhookRecord {
    let added = store.webhooks.add(webhook, &sealed("secret"), None, &actor("webhook.add")).await;
    added.expect("the webhook is added")
}

pub(crate) async fn webhook(store: &Store) -> WebhookId {
    add(store, &described("hook")).await.described.id
}

/// An event of company `c1`, as its bytes.
pub(crate) fn event(id: &str, event_type: &str, data: &str) -> Bytes {
    let event = v1::Event {
        id: id.to_owned(),
        r#type: event_type.to_owned(),
        company_id: "c1".to_owned(),
        project_id: "p1".to_owned(),
        occurred_at: None,
        data: Some(v1::event::Data::Json(Bytes::from(data.to_owned()))),
    };
    event.encode_to_vec().into()
}

pub(crate) fn decoded(message: &Bytes) -> Event {
    Event::decode(message, usize::MAX).expect("it is an event")
}

pub(crate) fn routed(message: &Bytes, received_at: Timestamp, webhook_ids: &[WebhookId]) -> Entry {
    Entry::Routed(Routed { message: message.clone(), received_at, webhook_ids: webhook_ids.to_vec() })
}

/// Attempt `number` to deliver an event, in the first epoch.
pub(crate) fn attempted(
    message: &Bytes,
    webhook_id: WebhookId,
    number: u32,
    started_at: Timestamp,
    step: Step<Timestamp>,
) -> Attempted {
    let event = decoded(message);
    let outcome = match step {
        Step::Succeed => Outcome::Accepted { status: 204 },
        Step::Retry(_) | Step::GiveUp => Outcome::Refused { status: 503, retry_after: None },
        Step::Disable => Outcome::Gone,
    };
    Attempted {
        id: AttemptId(Uuid::now_v7()),
        digest: event.digest(),
        event_id: event.id,
        event_type: event.event_type,
        company_id: event.company_id,
        webhook_id,
        epoch: 1,
        attempt: number,
        started_at,
        duration: Duration::from_millis(40),
        outcome,
        phases: Phases::default(),
        address: None,
        response_headers: vec![("server".to_owned(), "test".to_owned())],
        response_body: "busy".to_owned(),
        step,
        first_attempt_at: started_at,
    }
}

pub(crate) fn entry(attempted: Attempted) -> Entry {
    Entry::Attempted(Box::new(attempted))
}

pub(crate) fn rejected(rejected_at: Timestamp, bytes: usize) -> Entry {
    Entry::Rejected(Rejected {
        id: Uuid::now_v7(),
        rejected_at,
        field: Field::Type,
        reason: "is empty".to_owned(),
        routing_key: "some.key".to_owned(),
        message_id: "m1".to_owned(),
        size: bytes as u64,
        message: vec![7; bytes].into(),
    })
}

pub(crate) fn dropped(message: &Bytes, webhook_id: WebhookId, dropped_at: Timestamp) -> Entry {
    let Event { id: event_id, company_id, .. } = decoded(message);
    let reason = "the webhook was deleted".to_owned();
    Entry::Dropped(Dropped { event_id, company_id, webhook_id, dropped_at, reason })
}

pub(crate) async fn record(store: &Store, entries: &[Entry]) -> Recorded {
    store.recorder.record(entries, RECORDING).await.expect("it is recorded")
}

/// A delivery whose last retry has failed, with its event.
pub(crate) fn exhausted(id: &str, webhook: WebhookId, at: Timestamp) -> Vec<Entry> {
    let message = event(id, "todo.created", "{}");
    vec![routed(&message, at, &[webhook]), entry(attempted(&message, webhook, 6, at, Step::GiveUp))]
}

pub(crate) fn retry_at(at: Timestamp) -> Step<Timestamp> {
    Step::Retry(at + 5.seconds())
}

pub(crate) fn content(message: &Bytes) -> ContentDigest {
    decoded(message).digest()
}
