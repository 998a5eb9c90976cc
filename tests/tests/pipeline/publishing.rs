//! `posthorn publish`.

use posthorn_tests::{App, Receiver, always};
use serde_json::{Value, json};

const LINES: &str = r#"{"id":"evt-fixed","type":"todo.created","company_id":"c1","project_id":"p1","occurred_at":"2026-11-23T09:30:00.123Z","data":{"n": 1}}
{"type":"todo.moved","company_id":"c2","data":{"n": 2}}
{"type":"comment.created","data":{}}
"#;

#[tokio::test]
async fn an_event_is_published_from_flags() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    let flags = ["--type", "todo.created", "--company", "c7", "--project", "p7", "--id", "evt-7"];
    let data = ["--data", r#"{"title":"Pay"}"#, "--json"];
    let printed = app.run(&[&["publish"][..], &flags, &data].concat()).await.json();

    assert_eq!(printed["published"], 1);
    let body = receiver.receives(1).await[0].json();
    assert_eq!((&body["id"], &body["type"]), (&json!("evt-7"), &json!("todo.created")));
    assert_eq!((&body["company_id"], &body["project_id"]), (&json!("c7"), &json!("p7")));
    assert_eq!(body["data"], json!({ "title": "Pay" }));
}

#[tokio::test]
async fn a_file_of_lines_is_published_as_it_is() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    let file = app.file("events.jsonl", LINES);
    let printed = app.run(&["publish", "--file", &file, "--json"]).await.json();

    assert_eq!(printed["published"], 3);
    assert!(printed["seconds"].is_number() && printed["per_second"].is_number(), "{printed}");
    let bodies: Vec<Value> = receiver.receives(3).await.iter().map(|request| request.json()).collect();
    let of = |event_type: &str| bodies.iter().find(|body| body["type"] == event_type).unwrap();
    assert_eq!(of("todo.created")["id"], "evt-fixed");
    assert_eq!(of("todo.created")["timestamp"], "2026-11-23T09:30:00.123Z");
    assert_eq!(of("todo.moved")["data"], json!({ "n": 2 }));
    let fresh = of("comment.created")["id"].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
    assert_eq!(fresh.get_version_num(), 7);
}

#[tokio::test]
async fn a_count_cycles_through_the_events_with_fresh_ids() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    let file = app.file("events.jsonl", LINES);
    let publish = ["publish", "--file", &file, "--count", "100", "--rate", "200", "--json"];
    assert_eq!(app.run(&publish).await.json()["published"], 100);

    let requests = receiver.receives(100).await;
    let mut ids = receiver.ids("/");
    ids.dedup();
    assert_eq!(ids.len(), 100);
    let created = requests.iter().filter(|request| request.json()["type"] == "todo.created").count();
    assert_eq!(created, 34);
}

#[tokio::test]
async fn what_cannot_be_published_is_an_error() {
    let app = App::create().await;
    let _router = app.start_role("router").await;
    let file = app.file("events.jsonl", "{\"type\":\"todo.created\",\"data\":{}}\n{\"type\":7}\n");
    let stderr = app.run(&["publish", "--file", &file]).await.failure();
    assert!(stderr.contains("line 2") || stderr.contains(":2"), "{stderr}");
    let stderr = app.run(&["publish", "--type", "todo.created", "--data", "[1]"]).await.failure();
    assert!(stderr.contains("object"), "{stderr}");
}
