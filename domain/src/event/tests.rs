use std::collections::BTreeMap;

use posthorn_matching::{explain::Explanation, pattern::Steps, rule::Rule};
use proptest::prelude::*;
use prost_types::{ListValue, Struct, Value, value::Kind};
use serde_json::json;

use super::*;

fn wire() -> v1::Event {
    v1::Event {
        id: "evt_1".into(),
        r#type: "todo.created".into(),
        company_id: "c1".into(),
        project_id: "p1".into(),
        occurred_at: Some(prost_types::Timestamp { seconds: 1_795_426_200, nanos: 123_456_789 }),
        data: Some(Data::Json(Bytes::from_static(b" {\"title\": \"Pay\",\"n\":1.10} "))),
    }
}

/// An event with these names and data.
pub(crate) fn event_with(event_type: &str, company: &str, project: &str, data: &serde_json::Value) -> Event {
    let mut wire = wire();
    wire.r#type = event_type.into();
    wire.company_id = company.into();
    wire.project_id = project.into();
    wire.data = Some(Data::Json(data.to_string().into()));
    decode(&wire).unwrap()
}

fn decode(wire: &v1::Event) -> Result<Event, Rejection> {
    Event::decode(&wire.encode_to_vec().into(), 1 << 20)
}

fn rejected_field(change: impl FnOnce(&mut v1::Event)) -> &'static str {
    let mut wire = wire();
    change(&mut wire);
    decode(&wire).unwrap_err().field.label()
}

#[test]
fn the_body_carries_the_data_byte_for_byte() {
    let body = decode(&wire()).unwrap().body(Timestamp::UNIX_EPOCH);
    assert_eq!(
        String::from_utf8(body).unwrap(),
        "{\"id\":\"evt_1\",\"type\":\"todo.created\",\"timestamp\":\"2026-11-23T09:30:00.123Z\",\
         \"company_id\":\"c1\",\"project_id\":\"p1\",\"data\":{\"title\": \"Pay\",\"n\":1.10}}"
    );
}

#[test]
fn a_pattern_sees_the_body_that_is_delivered() {
    let whole = json!({
        "id": ["evt_1"], "type": ["todo.created"], "timestamp": ["2026-11-23T09:30:00.123Z"],
        "company_id": ["c1"], "project_id": ["p1"], "data": {"title": ["Pay"], "n": [1.1]}
    });
    let matches = |pattern: serde_json::Value, wire: &v1::Event| {
        let rule = Rule { pattern: pattern.to_string().parse().ok(), ..Rule::default() };
        let event = decode(wire).unwrap();
        let as_event = rule.matches(&event.received_at(Timestamp::UNIX_EPOCH), &Steps::default()).unwrap();
        let body = String::from_utf8(event.body(Timestamp::UNIX_EPOCH)).unwrap();
        assert_eq!(Explanation::of(&rule, &body, &Steps::default()).unwrap().matched, as_event);
        as_event
    };
    assert!(matches(whole, &wire()));
    assert!(!matches(json!({"data": {"title": ["pay"]}}), &wire()));
    let object = Struct { fields: BTreeMap::from([("n".to_owned(), number(1.0))]) };
    let arrived = v1::Event { occurred_at: None, data: Some(Data::Struct(object)), ..wire() };
    assert!(matches(json!({"timestamp": ["1970-01-01T00:00:00.000Z"], "data": {"n": [1]}}), &arrived));
}

#[test]
fn the_time_of_arrival_stands_in_for_a_missing_time() {
    let mut wire = wire();
    wire.occurred_at = None;
    let body = decode(&wire).unwrap().body("2026-01-02T03:04:05Z".parse().unwrap());
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["timestamp"], "2026-01-02T03:04:05.000Z");
}

#[test]
fn a_repetition_has_the_same_digest_and_other_content_another() {
    let digest = |change: &dyn Fn(&mut v1::Event)| {
        let mut wire = wire();
        change(&mut wire);
        decode(&wire).unwrap().digest()
    };
    let first = digest(&|_| {});
    assert_eq!(first, digest(&|wire| wire.company_id = "other".into()), "the company is no content");
    assert_eq!(first, digest(&|wire| wire.data = Some(Data::Json("{\"title\": \"Pay\",\"n\":1.10}".into()))));
    assert_ne!(first, digest(&|wire| wire.data = Some(Data::Json("{}".into()))));
    assert_ne!(first, digest(&|wire| wire.r#type = "todo.done".into()));
    assert_ne!(first, digest(&|wire| wire.project_id = "p2".into()));
    assert_ne!(first, digest(&|wire| wire.occurred_at = None));
    let object = Struct { fields: BTreeMap::from([("n".to_owned(), number(1.0))]) };
    assert_eq!(
        digest(&|wire| wire.data = Some(Data::Struct(object.clone()))),
        digest(&|wire| wire.data = Some(Data::Json("{\"n\":1}".into()))),
    );
}

#[test]
fn every_rejection_names_its_field() {
    assert_eq!(rejected_field(|e| e.id.clear()), "id");
    assert_eq!(rejected_field(|e| e.id = "a.b".into()), "id");
    assert_eq!(rejected_field(|e| e.id = "a\nb".into()), "id");
    assert_eq!(rejected_field(|e| e.id = "é".into()), "id");
    assert_eq!(rejected_field(|e| e.id = "x".repeat(256)), "id");
    assert_eq!(rejected_field(|e| e.r#type.clear()), "type");
    assert_eq!(rejected_field(|e| e.r#type = "todo created".into()), "type");
    assert_eq!(rejected_field(|e| e.company_id = "a\0".into()), "company_id");
    assert_eq!(rejected_field(|e| e.project_id = "x".repeat(256)), "project_id");
    assert_eq!(rejected_field(|e| e.occurred_at.as_mut().unwrap().nanos = -1), "occurred_at");
    assert_eq!(rejected_field(|e| e.occurred_at.as_mut().unwrap().seconds = i64::MAX), "occurred_at");
    assert_eq!(rejected_field(|e| e.data = None), "data");
    assert_eq!(rejected_field(|e| e.occurred_at.as_mut().unwrap().seconds = -62_135_596_801), "occurred_at");
    for json in ["", "[]", "1", "{", "{} {}", "{\"a\":}", "{\"a\":\"\u{1}\"}"] {
        assert_eq!(rejected_field(|e| e.data = Some(Data::Json(json.into()))), "json", "{json}");
    }
    let broken: &[u8] = b"{\"a\":\"\xff\"}";
    assert_eq!(rejected_field(|e| e.data = Some(Data::Json(broken.into()))), "json");
    assert_eq!(Event::decode(&Bytes::from_static(b"\xff\xff"), 100).unwrap_err().field.label(), "message");
    assert_eq!(Event::decode(&vec![0; 101].into(), 100).unwrap_err().field.label(), "message");
}

fn number(value: f64) -> Value {
    Value { kind: Some(Kind::NumberValue(value)) }
}

#[test]
fn a_struct_becomes_the_json_it_means() {
    let list =
        ListValue { values: vec![number(5.0), number(0.25), Value { kind: Some(Kind::NullValue(0)) }] };
    let fields = BTreeMap::from([
        ("list".to_owned(), Value { kind: Some(Kind::ListValue(list)) }),
        ("text".to_owned(), Value { kind: Some(Kind::StringValue("a\"b".into())) }),
        ("yes".to_owned(), Value { kind: Some(Kind::BoolValue(true)) }),
    ]);
    let mut wire = wire();
    wire.data = Some(Data::Struct(Struct { fields }));
    let body = decode(&wire).unwrap().body(Timestamp::UNIX_EPOCH);
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["data"], json!({"list": [5, 0.25, null], "text": "a\"b", "yes": true}));

    let infinite = Struct { fields: BTreeMap::from([("n".to_owned(), number(f64::INFINITY))]) };
    assert_eq!(rejected_field(|e| e.data = Some(Data::Struct(infinite))), "struct");
}

proptest! {
    #[test]
    fn numbers_of_a_struct_keep_their_value(value in prop::num::f64::NORMAL | prop::num::f64::ZERO) {
        let mut out = Vec::new();
        let fields = BTreeMap::from([("n".to_owned(), number(value))]);
        structure::write(&Struct { fields }, &mut out);
        let text = std::str::from_utf8(&out).unwrap();
        let written: f64 = text[5..text.len() - 1].parse().unwrap();
        prop_assert_eq!(written, value);
    }

    #[test]
    fn decoding_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Event::decode(&bytes.into(), 150);
    }

    #[test]
    fn the_body_is_json_whatever_the_company_is_called(company in "[^\\p{Cc}]{0,60}", project in "[^\\p{Cc}]{0,60}") {
        let mut wire = wire();
        wire.company_id = company.clone();
        wire.project_id = project;
        let body = decode(&wire).unwrap().body(Timestamp::UNIX_EPOCH);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        prop_assert_eq!(&body["company_id"], &company);
    }
}
