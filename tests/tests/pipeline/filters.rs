//! Rules on the event's data.

use posthorn_proto::v1::event::Data;
use posthorn_tests::{App, Event, Receiver, always, event, ids};
use serde_json::json;

fn with_data(event_type: &str, data: &'static str) -> Event {
    Event { data: Some(Data::Json(data.into())), ..event(event_type) }
}

#[tokio::test]
async fn a_webhook_with_a_pattern_receives_exactly_the_events_that_match() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let pattern =
        json!({"data": {"priority": [{"numeric": [">=", 3]}], "tags": [{"anything-but": "draft"}]}});
    let rules = json!([
        {"event_types": ["todo.*"], "pattern": pattern},
        {"pattern": {"data": {"amount": [12_345_678_901_234_567_890_u64]}}},
    ]);
    app.add_webhook_with_rules(&receiver.url("/"), &rules).await;
    let exact = app.file("exact.json", r#"[{"pattern": {"data": {"amount": [12345678901234567890.25]}}}]"#);
    app.add_webhook(&receiver.url("/exact"), &["--rules", &exact]).await;
    let _roles = app.start().await;

    let wanted = [
        with_data("todo.created", r#"{"priority": 3.0, "tags": ["draft", "home"]}"#),
        with_data("todo.moved", r#"{"priority": 1e2, "tags": "home"}"#),
        with_data("invoice.paid", r#"{"amount": 12345678901234567890}"#),
    ];
    let unwanted = [
        with_data("todo.created", r#"{"priority": 2, "tags": ["home"]}"#),
        with_data("todo.created", r#"{"priority": "3", "tags": ["home"]}"#),
        with_data("todo.created", r#"{"priority": 3, "tags": ["draft"]}"#),
        with_data("comment.created", r#"{"priority": 3, "tags": ["home"]}"#),
        with_data("invoice.paid", r#"{"amount": 12345678901234567891}"#),
    ];
    let exactly = with_data("invoice.paid", r#"{"amount": 1234567890123456789025e-2}"#);
    app.publish_all(&unwanted).await;
    app.publish_all(&wanted).await;
    app.publish(&exactly).await;

    receiver.receives(4).await;
    for event in &unwanted {
        assert!(app.database.records_event(&event.id).await.webhook_ids.is_empty(), "{event:?}");
    }
    let mut received = receiver.ids("/");
    received.sort();
    assert_eq!(received, ids(&wanted));
    assert_eq!(receiver.ids("/exact"), [exactly.id]);
}

#[tokio::test]
async fn a_bad_pattern_is_refused_with_all_its_problems() {
    let app = App::create().await;
    let pattern =
        app.file("pattern.json", r#"{"data": {"a": 5, "b": [{"like": "x"}], "c": [{"wildcard": "**"}]}}"#);
    let add = ["webhook", "add", "--url", "http://127.0.0.1:9/", "--pattern", &pattern, "--companies", ""];
    let stderr = app.run(&add).await.failure();
    for told in [
        "/0/companies/0",
        "/0/pattern/data/a",
        "write [5]",
        "/0/pattern/data/b/0/like",
        "/0/pattern/data/c/0/wildcard",
    ] {
        assert!(stderr.contains(told), "{told}: {stderr}");
    }
    assert!(app.database.webhook_ids().await.is_empty());
}

#[tokio::test]
async fn patterns_can_be_tried_from_a_shell() {
    let app = App::create().await;
    let pattern = app.file("pattern.json", r#"{"data": {"state": ["open"]}}"#);
    let bad = app.file("bad.json", r#"{"data": {"state": "open"}}"#);
    let open = app.file("open.json", r#"{"data": {"state": "open"}}"#);
    let done = app.file("done.json", r#"{"data": {"state": "done"}}"#);
    let missing = app.file("broken.json", "{");
    for (pattern, event, code) in
        [(&pattern, &open, 0), (&pattern, &done, 1), (&bad, &open, 2), (&pattern, &missing, 3)]
    {
        let arguments = ["pattern", "test", "--pattern", pattern, "--event", event];
        let answer = app.run(&arguments).await;
        assert_eq!(answer.code, code, "{answer:?}");
        assert_eq!(app.run(&[&arguments[..], &["--json"]].concat()).await.code, code);
    }
    let explained = app.run(&["pattern", "explain", "--pattern", &pattern, "--event", &done]).await;
    assert_eq!(explained.code, 1);
    assert!(explained.stdout.contains(r#"data.state: wanted "open"; seen "done""#), "{explained:?}");
}
