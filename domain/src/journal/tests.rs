use super::*;
use crate::outcome::UnreachableClass;

fn time() -> Timestamp {
    "2026-11-23T09:30:00.123456Z".parse().unwrap()
}

fn attempted(outcome: Outcome, consequence: Consequence) -> Entry {
    Entry::Attempted(Box::new(Attempted {
        id: Uuid::from_u128(3),
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
        consequence,
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
            field: "type".into(),
            reason: "is empty".into(),
            routing_key: "a".into(),
            message_id: "b".into(),
            size: 7,
            message: Bytes::from_static(b"\xff"),
        }),
        attempted(Outcome::Accepted { status: 204 }, Consequence::Succeed),
        attempted(Outcome::Refused { status: 500, retry_after: None }, Consequence::Retry(time())),
        attempted(Outcome::Gone, Consequence::DisableNow),
        attempted(Outcome::Interrupted, Consequence::GiveUp),
        attempted(unreachable(UnreachableClass::Timeout), Consequence::GiveUp),
        attempted(unreachable(UnreachableClass::InvalidReply), Consequence::GiveUp),
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
