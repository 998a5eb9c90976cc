//! Messages that are no events.

use posthorn_store::Store;
use posthorn_tests::{
    App, Data, Event, Receiver, always, broker::identified, event, eventually, eventually_is, ids,
    struct_event,
};
use prost::Message;
use prost_types::{Struct, Timestamp, Value, value::Kind};
use serde_json::json;

const MOST_BYTES: usize = 20_000;

#[tokio::test]
async fn bad_messages_are_recorded_with_field_reason_and_bytes_while_good_events_flow() {
    let app = App::with(&[("POSTHORN_MAX_EVENT_BYTES", &MOST_BYTES.to_string())]).await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    let (bad, mut good) = (bad_messages(), Vec::new());
    for (number, (_, message)) in bad.iter().enumerate() {
        app.broker
            .publish(&app.name("events"), "some.key", identified(&format!("bad-{number}")), message)
            .await;
        good.push(event("todo.created"));
        app.publish(good.last().unwrap()).await;
    }

    eventually_is("arrived", ids(&good), async || receiver.ids("/")).await;
    let count = async || app.database.rejected_events().await.len();
    eventually_is("rejected events", bad.len(), count).await;
    let rejected = app.database.rejected_events().await;
    for (number, (field, message)) in bad.iter().enumerate() {
        let id = format!("bad-{number}");
        let row =
            rejected.iter().find(|row| row.message_id == id).unwrap_or_else(|| panic!("no row for {id}"));
        assert_eq!((row.field.as_str(), row.routing_key.as_str()), (*field, "some.key"), "{row:?}");
        assert!(!row.reason.is_empty(), "{row:?}");
        assert_eq!(usize::try_from(row.size).unwrap(), message.len(), "{id}");
        match message.len() <= MOST_BYTES {
            true => assert_eq!(&row.message, message, "{id}"),
            false => assert!(!row.message.is_empty() && message.starts_with(&row.message), "{id}"),
        }
    }
}

/// Each with the field at fault.
fn bad_messages() -> Vec<(&'static str, Vec<u8>)> {
    let bad = |change: fn(&mut Event)| {
        let mut event = event("todo.created");
        change(&mut event);
        event.encode_to_vec()
    };
    let not_finite = Value { kind: Some(Kind::NumberValue(f64::NAN)) };
    let not_finite = Struct { fields: [("n".to_owned(), not_finite)].into() };
    let mut messages = vec![
        ("message", b"\xff\xff\xff".to_vec()),
        ("message", b"{\"this\":\"is JSON\"}".to_vec()),
        ("id", Vec::new()),
        ("id", bad(|event| event.id.clear())),
        ("id", bad(|event| event.id = "a.b".to_owned())),
        ("id", bad(|event| event.id = "a\nb".to_owned())),
        ("id", bad(|event| event.id = "x".repeat(256))),
        ("type", bad(|event| event.r#type.clear())),
        ("type", bad(|event| event.r#type = "todo..created".to_owned())),
        ("type", bad(|event| event.r#type = "todo created".to_owned())),
        ("occurred_at", bad(|event| event.occurred_at = Some(Timestamp { seconds: 0, nanos: -1 }))),
        ("data", bad(|event| event.data = None)),
        ("struct", struct_event("todo.created", not_finite).encode_to_vec()),
        ("message", bad(|event| event.company_id = "x".repeat(MOST_BYTES))),
    ];
    let no_object: [&[u8]; 7] = [b"", b"[1]", b"7", b"{\"a\":", b"{} {}", b"{'a':1}", b"{\"a\":\"\xff\"}"];
    for json in no_object {
        let event = Event { data: Some(Data::Json(json.into())), ..event("todo.created") };
        messages.push(("json", event.encode_to_vec()));
    }
    messages
}

const KEPT_BYTES: u64 = 100_000;

#[tokio::test]
async fn a_publisher_of_rubbish_fills_no_disk_and_the_latest_of_it_can_be_looked_at() {
    let app = App::with(&[("POSTHORN_REJECTED_BYTES", &KEPT_BYTES.to_string())]).await;
    let _roles = app.start().await;
    let store = Store::new(&app.database.url, 1).expect("the URL is good");
    let rubbish = vec![0xff; 10_000];
    let kept = async || {
        let sql = "SELECT coalesce(sum(octet_length(message)), 0)::bigint FROM rejected_events";
        app.database.count(sql, &[]).await
    };

    for number in 0..30 {
        let properties = identified(&number.to_string());
        app.broker.publish(&app.name("events"), "some.key", properties, &rubbish).await;
    }
    eventually_is("rejected", 30, async || app.database.rejected_events().await.len()).await;
    let now = kept().await;
    assert!((1..=KEPT_BYTES as i64).contains(&now), "{now} bytes are kept");

    eventually("the janitor of a recorder, or we, made room", async || {
        if let Some(janitor) = store.housekeeping.janitor().await.expect("the database answers") {
            janitor.make_room_for_rejected(KEPT_BYTES).await.expect("the database answers");
        }
        (kept().await <= KEPT_BYTES as i64 / 2).then_some(())
    })
    .await;
    app.broker.publish(&app.name("events"), "some.key", identified("latest"), &rubbish).await;
    eventually_is("rejected", 31, async || app.database.rejected_events().await.len()).await;
    let rejected = app.database.rejected_events().await;
    assert!(rejected.iter().all(|row| row.size == 10_000 && !row.reason.is_empty()));
    assert_eq!(rejected.last().map(|row| &row.message), Some(&rubbish), "there is room for it");
    assert!(rejected[0].message.is_empty(), "the oldest made room");
    let total = app.database.count("SELECT sum(bytes)::bigint FROM rejected_bytes", &[]).await;
    assert_eq!(total, kept().await);
}

#[tokio::test]
async fn an_event_that_costs_too_much_to_match_is_rejected_while_anothers_events_flow() {
    let app = App::with(&[("POSTHORN_MAX_MATCH_STEPS", "1000000")]).await;
    let receiver = Receiver::start(always(200)).await;
    let prefixes: Vec<_> = (0..100).map(|n| json!({ "prefix": format!("{n}-") })).collect();
    let rules = json!([{ "companies": ["wide"], "pattern": { "data": { "tags": prefixes } } }]);
    app.add_webhook_with_rules(&receiver.url("/wide"), &rules).await;
    app.add_webhook(&receiver.url("/other"), &["--companies", "other"]).await;
    let _roles = app.start().await;
    let tagged = |company: &str, tags: usize| {
        let data = json!({ "tags": vec!["7"; tags] }).to_string();
        let company_id = company.to_owned();
        Event { data: Some(Data::Json(data.into())), company_id, ..event("todo.created") }
    };

    let costly: Vec<_> = (0..3).map(|_| tagged("wide", 20_000)).collect();
    let others: Vec<_> = (0..3).map(|_| tagged("other", 20_000)).collect();
    for (costly, other) in costly.iter().zip(&others) {
        app.publish(costly).await;
        app.publish(other).await;
    }
    let cheap = tagged("wide", 2000);
    app.publish(&cheap).await;

    let mut wanted = ids(&others);
    wanted.sort();
    eventually_is("arrived", wanted, async || {
        let mut arrived = receiver.ids("/other");
        arrived.sort();
        arrived
    })
    .await;
    assert!(app.database.records_event(&cheap.id).await.webhook_ids.is_empty());
    eventually_is("rejected", costly.len(), async || app.database.rejected_events().await.len()).await;
    for (row, costly) in app.database.rejected_events().await.iter().zip(&costly) {
        assert_eq!((row.field.as_str(), &row.message), ("data", &costly.encode_to_vec()));
        for told in ["POSTHORN_MAX_MATCH_STEPS", "\"data.tags\" holds 20000 values"] {
            assert!(row.reason.contains(told), "{}", row.reason);
        }
    }
    assert!(receiver.ids("/wide").is_empty());
}
