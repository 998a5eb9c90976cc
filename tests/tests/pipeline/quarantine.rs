//! An event that no router survives stops nobody, and waits for an operator.

use posthorn_tests::{
    App, Event, Process, Receiver, always, broker::RawProperties, event, eventually, eventually_is, ids,
};
use prost::Message;
use serde_json::Value;

/// A router that reads frames of at most 8 KiB takes larger headers for a fault of the connection.
const SMALL_FRAMES: &str = "?frame_max=8192";

#[tokio::test]
async fn an_event_that_ends_every_session_is_quarantined_and_the_others_are_routed() {
    let mut app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _others = (app.start_role("dispatcher").await, app.start_role("recorder").await);
    let url = app.settings["POSTHORN_AMQP_URL"].clone();
    app.settings.insert("POSTHORN_AMQP_URL".to_owned(), format!("{url}{SMALL_FRAMES}"));
    let mut router = app.start_role("router").await;

    let (deadly, its_event) = deadly();
    let body = its_event.encode_to_vec();
    let innocents: Vec<_> = (0..20).map(|_| event("todo.created")).collect();
    app.publish_all(&innocents[..10]).await;
    app.broker.publish_raw(&app.name("events"), b"todo.caf\xe9", &deadly, &body).await;
    app.publish_all(&innocents[10..]).await;

    eventually("readiness tells what cannot be read, and where", async || {
        let (status, told) = router.readiness().await;
        let told = told.to_string();
        (status == 503 && told.contains("cannot be read") && told.contains(&app.name("router"))).then_some(())
    })
    .await;
    eventually_is("arrived", ids(&innocents), async || receiver.accepted("/")).await;
    eventually_is("in quarantine", 1.0, async || gauge(&mut router, "quarantine").await).await;
    eventually_is("suspects", 0.0, async || gauge(&mut router, "suspects.events").await).await;
    router.ready().await;
    let after = event("todo.created");
    app.publish(&after).await;
    receiver.receives_of(&after.id, 1).await;
    app.database.records_event(&after.id).await;
    assert_eq!(app.database.rejected_events().await.len(), 0);

    let listed = app.run(&["quarantine", "list", "--json"]).await.json();
    assert_eq!(listed["routing_key"], "todo.caf\\xe9");
    let id = listed["id"].as_str().unwrap().to_owned();
    let shown: Value = app.run(&["quarantine", "show", &id, "--json"]).await.json();
    assert_eq!(shown["body_hex"], hex(&body));
    assert!(app.run(&["quarantine", "show", &id]).await.success().contains("todo.caf\\xe9"));

    router.stop().await;
    app.settings.insert("POSTHORN_AMQP_URL".to_owned(), url);
    let mut router = app.start_role("router").await;
    app.run(&["quarantine", "release", &id]).await.success();
    receiver.receives_of(&its_event.id, 1).await;
    eventually_is("in quarantine", 0.0, async || gauge(&mut router, "quarantine").await).await;
}

#[tokio::test]
async fn an_operator_drops_what_is_in_quarantine() {
    let app = App::create().await;
    let _router = app.start_role("router").await;
    let (properties, event) = deadly();
    let body = event.encode_to_vec();
    app.broker.publish_raw(&app.name("quarantine"), b"todo.created", &properties, &body).await;
    app.broker.publish_raw(&app.name("quarantine"), b"todo.created", &RawProperties::default(), b"?").await;

    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    let listed = app.run(&["quarantine", "list", "--json"]).await.success();
    let ids: Vec<_> = listed.lines().map(id).collect();
    assert_eq!(ids.len(), 2, "{listed}");
    app.run(&["quarantine", "drop", &ids[0]]).await.success();

    let left = app.run(&["quarantine", "list", "--json"]).await.success();
    assert_eq!(left.lines().map(id).collect::<Vec<_>>(), ids[1..]);
    let refused = app.run(&["quarantine", "drop", &ids[0]]).await.failure();
    assert!(refused.contains("is not in quarantine"), "{refused}");
}

/// What ends the session of a router with small frames.
fn deadly() -> (RawProperties, Event) {
    let value = [b"\x01sS\0\0\x4e\x20".as_slice(), &[b'x'; 20_000]].concat();
    (RawProperties { headers: value, ..RawProperties::default() }, event("todo.created"))
}

async fn gauge(router: &mut Process, queue: &str) -> f64 {
    let series = format!("posthorn_backlog{{queue=\"{queue}\"}} ");
    let page = router.page("/metrics").await.1;
    page.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
