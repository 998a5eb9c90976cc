//! What is done and its audit entry are one; what was begun ends, whoever still waits for it.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_domain::id::EventRef;
use posthorn_store::{Actor, Store};
use posthorn_tests::{
    App, Client, Receiver, always, api::text, broker::identified, event, eventually, eventually_is,
};
use prost::Message;
use serde_json::{Value, json};
use tokio::time::timeout;

/// Lets nobody note an action in the audit log.
async fn forbid(app: &App, action: &str) {
    let refuse = format!("ALTER TABLE audit_log ADD CONSTRAINT refused CHECK (action <> '{action}')");
    app.database.script(&refuse).await;
}

/// Lets everything be noted again.
async fn allow(app: &App) {
    app.database.script("ALTER TABLE audit_log DROP CONSTRAINT refused").await;
}

async fn entries(admin: &Client, action: &str) -> usize {
    let log = admin.all("/v1/audit-log").await;
    log.iter().filter(|entry| entry["action"] == action).count()
}

/// A webhook that is in force, and an event that it got. Nobody delivers any more.
async fn delivered(app: &App, admin: &Client, receiver: &Receiver) -> (Value, String) {
    let webhook = admin.add(&receiver.url("/"), json!([{}])).await;
    let _roles = app.start().await;
    let event = event("todo.created");
    app.publish(&event).await;
    let path = format!("/v1/deliveries/{}/{}", event.id, text(&webhook, "id"));
    admin.shows(&path, "/state", json!("succeeded")).await;
    (webhook, event.id)
}

#[tokio::test]
async fn a_replay_that_cannot_be_noted_is_not_begun() {
    let app = App::create().await;
    let api = app.api().await;
    let admin = api.admin();
    let webhook = admin.add("http://127.0.0.1:9/", json!([{}])).await;
    let keyed = admin.clone().header("idempotency-key", "key-1");
    let path = format!("/v1/webhooks/{}/replay", text(&webhook, "id"));
    let input = json!({ "since": "2026-01-01T00:00:00Z", "only": "all" });

    forbid(&app, "webhook.replay").await;
    keyed.post(&path, &input).await.problem(500, "internal");
    assert_eq!(app.database.count("SELECT count(*) FROM replays", &[]).await, 0);
    allow(&app).await;
    let begun = keyed.post(&path, &input).await.expect(202);
    assert_eq!(app.database.count("SELECT count(*) FROM replays", &[]).await, 1);

    app.database.script("UPDATE replays SET state = 'running', finished_at = NULL").await;
    forbid(&app, "replay.cancel").await;
    let cancel = format!("/v1/replays/{}/cancel", text(&begun, "id"));
    admin.act(&cancel).await.problem(500, "internal");
    let canceled = "SELECT count(*) FROM replays WHERE state = 'canceled'";
    assert_eq!(app.database.count(canceled, &[]).await, 0);
}

#[tokio::test]
async fn a_redelivery_that_cannot_be_noted_is_not_made() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let api = app.api().await;
    let admin = api.admin();
    let (webhook, event) = delivered(&app, &admin, &receiver).await;
    let shown = format!("/v1/webhooks/{}", text(&webhook, "id"));
    let redeliver = format!("/v1/deliveries/{event}/{}/redeliver", text(&webhook, "id"));
    let keyed = admin.clone().header("idempotency-key", "key-1");

    forbid(&app, "delivery.redeliver").await;
    keyed.act(&redeliver).await.problem(500, "internal");
    allow(&app).await;
    keyed.act(&redeliver).await.expect(202);
    // What was published first would wait before it.
    admin.shows(&shown, "/waiting", json!(1)).await;
    let again = keyed.act(&redeliver).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (202, Some("true")));
    assert_eq!(admin.get(&shown).await.expect(200)["waiting"], 1);
    assert_eq!(entries(&admin, "delivery.redeliver").await, 1);
    assert_eq!(app.database.count("SELECT count(*) FROM outbox", &[]).await, 0);
}

#[tokio::test]
async fn a_rejected_event_whose_repair_cannot_be_noted_is_not_published() {
    let app = App::create().await;
    let roles = app.start().await;
    let api = app.api().await;
    let admin = api.admin();
    app.broker.publish(&app.name("events"), "key", identified("m"), b"no event").await;
    let row =
        eventually("it is listed", async || admin.all("/v1/rejected-events").await.into_iter().next()).await;
    let path = format!("/v1/rejected-events/{}", text(&row, "id"));
    let (refused, repaired) = (event("todo.created"), event("todo.created"));
    let input = |id: &str| json!({ "id": id, "type": "todo.created", "data": {} });

    forbid(&app, "rejected_event.publish").await;
    admin.post(&format!("{path}/publish"), &input(&refused.id)).await.problem(500, "internal");
    allow(&app).await;
    assert_eq!(admin.get(&path).await.expect(200)["resolution"], Value::Null);
    admin.post(&format!("{path}/publish"), &input(&repaired.id)).await.expect(202);
    app.database.records_event(&repaired.id).await;
    assert!(admin.all("/v1/events").await.iter().all(|event| event["id"] != refused.id.as_str()));
    drop(roles);
}

#[tokio::test]
async fn what_a_fallen_process_has_promised_is_sent_by_another() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let api = app.api().await;
    let admin = api.admin();
    let (webhook, _) = delivered(&app, &admin, &receiver).await;
    let shown = format!("/v1/webhooks/{}", text(&webhook, "id"));
    let promised = event("todo.created");
    let message = Bytes::from(promised.encode_to_vec());
    let reference = EventRef::new(&promised.company_id, &promised.id);

    let store = Store::new(&app.database.url, 2).expect("the URL is good");
    let id = text(&webhook, "id").parse().expect("it is an id");
    let actor = Actor::command("delivery.redeliver");
    store
        .background
        .add_redelivery(id, reference, message, Timestamp::now(), &actor)
        .await
        .expect("it is promised");
    assert_eq!(admin.get(&shown).await.expect(200)["waiting"], 0);
    app.database.script("UPDATE outbox SET due_at = now()").await;
    admin.shows(&shown, "/waiting", json!(1)).await;
    let left = async || app.database.count("SELECT count(*) FROM outbox", &[]).await;
    eventually_is("what is left in the outbox", 0, left).await;
}

#[tokio::test]
async fn a_keyed_request_whose_client_has_gone_is_done_and_answered_to_who_asks_again() {
    let app = App::create().await;
    let mut api = app.api().await;
    let keyed = api.admin().header("idempotency-key", "key-1");
    let input = json!({ "url": "http://127.0.0.1:9/", "rules": [{}] });

    let other = app.database.reopened();
    other.script("BEGIN; LOCK TABLE webhook_secrets IN EXCLUSIVE MODE").await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let request = keyed.post("/v1/webhooks", &input);
    let waiting = eventually("the request waits for the lock", async || {
        (app.database.count(waits, &[]).await > 0).then_some(())
    });
    tokio::select! {
        answer = request => panic!("it is answered: {answer:?}"),
        () = waiting => {}
    }
    // The client has gone: its connection is closed. The API has seen that once it has another's answer.
    let gone = async || {
        let (_, page) = api.process.page("/metrics").await;
        posthorn_tests::metrics::parse(&page)["posthorn_api_connections"]
    };
    eventually_is("connections", 0.0, gone).await;
    other.script("COMMIT").await;

    let answer = eventually("it is done", async || {
        let answer = keyed.post("/v1/webhooks", &input).await;
        (answer.status == 201).then_some(answer)
    })
    .await;
    assert_eq!(answer.header("idempotency-replayed"), Some("true"));
    assert!(answer.json()["secret"].is_string());
    assert_eq!(app.database.webhook_ids().await.len(), 1);
    assert!(timeout(Duration::from_secs(30), api.process.stop()).await.is_ok(), "it stops");
}
