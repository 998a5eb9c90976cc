//! What a request looks like.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lapin::types::{AMQPValue, FieldTable};
use posthorn_tests::{
    App, Data, Event, Receiver, always, broker::identified, event, reference, statuses, struct_event,
};
use prost::Message;
use prost_types::{ListValue, Struct, Value, value::Kind};
use serde_json::json;

#[tokio::test]
async fn the_body_is_the_envelope_around_the_producers_own_bytes() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    let data = r#"{ "title" : "Caf\u00e9 ☕", "price":1.10, "big":12345678901234567890123, "a":1,"a":2 }"#;
    let event = Event { data: Some(Data::Json(data.into())), ..event("todo.moved") };
    app.publish(&event).await;

    let request = &receiver.receives(1).await[0];
    let expected = format!(
        r#"{{"id":"{}","type":"todo.moved","timestamp":"2026-11-23T09:30:00.123Z","company_id":"c1","project_id":"p1","data":{data}}}"#,
        event.id
    );
    assert_eq!(String::from_utf8_lossy(&request.body), expected);
    assert_eq!((request.method.as_str(), request.webhook_id()), ("POST", &*reference("c1", &event.id)));
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("posthorn-attempt"), "1");
    assert!(request.header("user-agent").starts_with("Posthorn/"), "{request:?}");
    assert!((request.timestamp() - request.arrived_at.as_second()).abs() <= 5, "{request:?}");
}

#[tokio::test]
async fn an_event_without_a_time_has_that_of_its_arrival_on_every_attempt() {
    let app = App::create().await;
    let receiver = Receiver::start(statuses([503, 200])).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    let before = Timestamp::now().as_millisecond();
    app.publish(&Event { occurred_at: None, ..event("todo.created") }).await;

    let requests = receiver.receives(2).await;
    let body = requests[0].json();
    let text = body["timestamp"].as_str().unwrap();
    assert_eq!((text.len(), &text[19..20], &text[23..]), (24, ".", "Z"), "{text}");
    let time: Timestamp = text.parse().unwrap();
    let arrived = before..=requests[0].arrived_at.as_millisecond();
    assert!(arrived.contains(&time.as_millisecond()), "{text} is not in {arrived:?}");
    assert_eq!(requests[0].body, requests[1].body);
}

#[tokio::test]
async fn struct_data_arrives_as_the_json_that_it_means() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    let text = |text: &str| Kind::StringValue(text.to_owned());
    let list = ListValue { values: [Kind::NumberValue(3.0), Kind::BoolValue(true)].map(value).to_vec() };
    let inner = object([("quoted \"name\"", text("line\nbreak")), ("nothing", Kind::NullValue(0))]);
    let outer = object([
        ("list", Kind::ListValue(list)),
        ("inner", Kind::StructValue(inner)),
        ("share", Kind::NumberValue(-0.25)),
    ]);
    app.publish(&struct_event("todo.created", outer)).await;

    let body = receiver.receives(1).await[0].json();
    let inner = json!({ "quoted \"name\"": "line\nbreak", "nothing": null });
    assert_eq!(body["data"], json!({ "list": [3, true], "inner": inner, "share": -0.25 }));
}

#[tokio::test]
async fn fields_that_posthorn_does_not_know_survive() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    let event = event("todo.created");
    let field_99 = [&[0x9a, 0x06, 6][..], b"future"].concat();
    let message = [event.encode_to_vec(), field_99].concat();
    app.broker.publish(&app.name("events"), "todo.created", identified(&event.id), &message).await;

    assert_eq!(receiver.receives(1).await[0].id(), event.id);
    assert_eq!(app.database.records_event(&event.id).await.message, message);
}

#[tokio::test]
async fn an_event_of_the_company_itself_has_an_empty_project() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    let event = Event { project_id: String::new(), ..event("company.renamed") };
    app.publish(&event).await;

    assert_eq!(receiver.receives(1).await[0].json()["project_id"], "");
    let stored = app.database.records_event(&event.id).await;
    assert_eq!((stored.event_type.as_str(), stored.company_id.as_str()), ("company.renamed", "c1"));
}

#[tokio::test]
async fn the_producers_trace_goes_on_at_the_receiver() {
    let app = App::create().await;
    let receiver = Receiver::start(statuses([503, 200])).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    let event = event("todo.created");
    let trace = [
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("tracestate", "rojo=00f067aa0ba902b7"),
    ];
    let mut headers = FieldTable::default();
    for (name, value) in trace {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    let properties = identified(&event.id).with_headers(headers);
    app.broker.publish(&app.name("events"), "todo.created", properties, &event.encode_to_vec()).await;

    for request in receiver.receives(2).await {
        for (name, value) in trace {
            assert_eq!(request.header(name), value, "{request:?}");
        }
    }
}

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

fn object<const N: usize>(fields: [(&str, Kind); N]) -> Struct {
    let fields: BTreeMap<_, _> = fields.map(|(name, kind)| (name.to_owned(), value(kind))).into();
    Struct { fields }
}
