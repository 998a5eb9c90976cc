use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_proto::v1::{self, journal_entry::Entry as Wire};
use prost::Message;
use uuid::Uuid;

use super::*;
use crate::{
    event::{ContentDigest, Field},
    id::{AttemptId, WebhookId},
    outcome::{Outcome, Phases, UnreachableClass},
    step::{Step, StepKind},
};

fn time() -> Timestamp {
    "2026-11-23T09:30:00.123456Z".parse().unwrap()
}

fn attempted(outcome: Outcome, step: Step<Timestamp>) -> Entry {
    Entry::Attempted(Box::new(Attempted {
        id: AttemptId(Uuid::from_u128(3)),
        event_id: "evt_1".into(),
        event_type: "todo.created".into(),
        company_id: "c1".into(),
        digest: ContentDigest(Uuid::from_u128(9)),
        phases: Phases {
            dns: Some(Duration::from_millis(3)),
            connect: None,
            first_byte: Duration::from_millis(20),
        },
        address: Some([127, 0, 0, 1].into()),
        response_headers: vec![("server".into(), "test".into())],
        webhook_id: WebhookId(Uuid::from_u128(4)),
        epoch: 2,
        attempt: 6,
        started_at: time(),
        duration: Duration::from_millis(15_000),
        outcome,
        response_body: "no".into(),
        step,
        first_attempt_at: time(),
    }))
}

#[test]
fn every_entry_reads_back() {
    let unreachable = |class| Outcome::Unreachable { class, error: "why".into() };
    let entries = vec![
        Entry::Routed(Routed {
            message: Bytes::from_static(b"event"),
            received_at: time(),
            webhook_ids: vec![WebhookId(Uuid::from_u128(1)), WebhookId(Uuid::from_u128(2))],
        }),
        Entry::Rejected(Rejected {
            id: Uuid::from_u128(5),
            rejected_at: time(),
            field: Field::Type,
            reason: "is empty".into(),
            routing_key: "a".into(),
            message_id: "b".into(),
            size: 7,
            message: Bytes::from_static(b"\xff"),
        }),
        attempted(Outcome::Accepted { status: 204 }, Step::Succeed),
        attempted(Outcome::Refused { status: 500, retry_after: None }, Step::Retry(time())),
        attempted(Outcome::Gone, Step::Disable),
        attempted(Outcome::Interrupted, Step::GiveUp),
        attempted(unreachable(UnreachableClass::Timeout), Step::GiveUp),
        attempted(unreachable(UnreachableClass::InvalidReply), Step::GiveUp),
        Entry::Dropped(Dropped {
            event_id: "evt_2".into(),
            company_id: "c2".into(),
            webhook_id: WebhookId(Uuid::from_u128(6)),
            dropped_at: time(),
            reason: "deleted".into(),
        }),
    ];
    assert_eq!(decode(encode(&entries)).unwrap(), entries);
}

#[test]
fn what_cannot_be_read_is_refused_whole() {
    assert!(decode(Bytes::from_static(b"\xff\xff")).is_err());
    let unknown = v1::JournalBatch { entries: vec![v1::JournalEntry { entry: None }] };
    assert!(decode(unknown.encode_to_vec().into()).is_err());
}

#[test]
fn a_word_that_is_not_known_is_named() {
    let batch = |change: &dyn Fn(&mut v1::Attempted)| {
        let entry = wire::write(&attempted(Outcome::Gone, Step::Disable));
        let Wire::Attempted(mut attempted) = entry else { unreachable!("it was written as an attempt") };
        change(&mut attempted);
        let entry = v1::JournalEntry { entry: Some(Wire::Attempted(attempted)) };
        decode(v1::JournalBatch { entries: vec![entry] }.encode_to_vec().into())
            .map_err(|error| error.to_string())
    };
    assert!(batch(&|_| {}).is_ok());
    assert_eq!(
        batch(&|attempted| attempted.step = "abandon".to_owned()),
        Err("not a journal batch: `abandon` is not a step: use succeed, retry, give_up or disable".to_owned())
    );
    let told = batch(&|attempted| attempted.outcome = "ignored".to_owned()).unwrap_err();
    assert!(told.contains("`ignored` is not an outcome"), "{told}");
    let told = batch(&|attempted| attempted.step = StepKind::Retry.to_string()).unwrap_err();
    assert!(told.contains("the time of the next attempt is missing"), "{told}");
}
