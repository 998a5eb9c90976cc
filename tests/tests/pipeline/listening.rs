//! `posthorn listen`.

use std::net::TcpListener;

use posthorn_tests::{App, Event, Process, event, eventually};
use serde_json::{Value, json};
use tokio::net::TcpStream;

#[tokio::test]
async fn listen_prints_verifies_and_answers_by_script() {
    let app = App::create().await;
    let address = free_address();
    let webhook = app.add_webhook(&format!("http://{address}/"), &[]).await;
    let _roles = app.start().await;
    let secret = ["--secret", &webhook.secret];
    let script = ["--statuses", "503,200", "--stop-after", "2", "--json"];
    let mut listener = listening(&app, &address, &[&secret[..], &script].concat()).await;

    let event = Event { occurred_at: None, ..event("todo.created") };
    app.publish(&event).await;

    assert_eq!(listener.exit_code().await, 0, "{}", listener.log());
    let lines = json_lines(&listener);
    let (first, second, summary) = (&lines[0], &lines[1], &lines[2]);
    assert_eq!((&first["attempt"], &first["status"]), (&json!(1), &json!(503)), "{first}");
    assert_eq!((&second["attempt"], &second["status"]), (&json!(2), &json!(200)), "{second}");
    for line in [first, second] {
        assert_eq!((&line["id"], &line["type"]), (&json!(event.id), &json!("todo.created")));
        assert_eq!(line["verified"], true, "{line}");
        assert!(line["latency_ms"].is_number() && line["received_at"].is_string(), "{line}");
    }
    assert_eq!((&summary["received"], &summary["distinct"]), (&json!(2), &json!(1)), "{summary}");
    assert_eq!(summary["rejected_signatures"], 0);
    assert!(summary["latency_ms"]["p99"].is_number(), "{summary}");
}

#[tokio::test]
async fn listen_tells_a_wrong_signature_from_an_unchecked_one() {
    let app = App::create().await;
    let address = free_address();
    app.add_webhook(&format!("http://{address}/"), &[]).await;
    let _roles = app.start().await;

    let unchecked = listening(&app, &address, &["--stop-after", "1", "--json"]).await;
    app.publish(&event("todo.created")).await;
    assert_eq!(printed(unchecked).await[0]["verified"], Value::Null);

    let other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let checked = listening(&app, &address, &["--stop-after", "1", "--json", "--secret", other]).await;
    app.publish(&event("todo.created")).await;
    let lines = printed(checked).await;
    assert_eq!(lines[0]["verified"], false);
    assert_eq!(lines.last().unwrap()["rejected_signatures"], 1);
}

#[tokio::test]
async fn listen_ends_with_its_summary_when_it_is_told_to_stop() {
    let app = App::create().await;
    let address = free_address();
    app.add_webhook(&format!("http://{address}/"), &[]).await;
    let _roles = app.start().await;
    let listener = listening(&app, &address, &["--json"]).await;
    app.publish(&event("todo.created")).await;
    eventually("a line is printed", async || (!listener.output().is_empty()).then_some(())).await;

    listener.terminate();

    let lines = printed(listener).await;
    assert_eq!((lines.len(), &lines[1]["received"]), (2, &json!(1)));
}

/// Starts `posthorn listen` and waits until it accepts connections.
async fn listening(app: &App, address: &str, options: &[&str]) -> Process {
    let listener = app.spawn(&[&["listen", "--addr", address], options].concat());
    let connects = async || TcpStream::connect(address).await.ok();
    eventually("it accepts connections", connects).await;
    listener
}

async fn printed(mut listener: Process) -> Vec<Value> {
    assert_eq!(listener.exit_code().await, 0, "{}", listener.log());
    json_lines(&listener)
}

fn json_lines(listener: &Process) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
    listener.output().lines().map(parse).collect()
}

/// An address whose port was free a moment ago.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    listener.local_addr().expect("a listener has an address").to_string()
}
