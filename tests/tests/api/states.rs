//! What stops a webhook and lets it go on, and its secrets.

use posthorn_tests::{App, Receiver, always, event, eventually, statuses};
use serde_json::{Value, json};

#[tokio::test]
async fn a_webhook_is_paused_resumed_disabled_and_enabled() {
    let app = App::create().await;
    let api = app.api().await;
    let admin = api.admin();
    let webhook = admin.add("http://127.0.0.1:9/", json!([{}])).await;
    let act = async |verb: &str| {
        admin.act(&format!("/v1/webhooks/{}/{verb}", webhook["id"].as_str().unwrap())).await
    };

    assert_eq!(act("pause").await.expect(200)["state"], "paused");
    assert_eq!(act("pause").await.expect(200)["state"], "paused");
    act("enable").await.problem(409, "conflict");
    assert_eq!(act("resume").await.expect(200)["state"], "healthy");
    let disabled = act("disable").await.expect(200);
    assert_eq!(
        (&disabled["state"], &disabled["disabled"]["reason"]),
        (&json!("disabled"), &json!("operator"))
    );
    assert!(disabled["disabled"]["at"].is_string(), "{disabled}");
    act("pause").await.problem(409, "conflict");
    act("resume").await.problem(409, "conflict");
    let enabled = act("enable").await.expect(200);
    assert_eq!((&enabled["state"], &enabled["epoch"]), (&json!("healthy"), &json!(2)));
    assert_eq!(enabled["disabled"], Value::Null);
}

#[tokio::test]
async fn what_disabled_a_webhook_and_what_waits_is_shown() {
    let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "300ms")]).await;
    let receiver = Receiver::start(statuses([503, 500])).await;
    let _roles = app.start().await;
    let api = app.api().await;
    let admin = api.admin();
    let webhook = admin.add(&receiver.url("/"), json!([{}])).await;
    let id = webhook["id"].as_str().unwrap();
    let path = format!("/v1/webhooks/{id}");

    let event = event("todo.created");
    eventually("the webhook is in force", async || {
        app.publish(&event).await;
        (receiver.count() > 0).then_some(())
    })
    .await;

    let shown = admin.shows(&path, "/state", json!("disabled")).await;
    assert_eq!(shown["disabled"]["reason"], "exhausted");
    assert_eq!(shown["disabled"]["outcome"]["status"], 500);
    assert_eq!(shown["disabled"]["outcome"]["event_id"], event.id.as_str());
    assert!(shown["last_failed_at"].is_string());
}

#[tokio::test]
async fn a_new_secret_signs_beside_the_old_one_unless_it_ends_now() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let _roles = app.start().await;
    let api = app.api().await;
    let admin = api.admin();
    let webhook = admin.add(&receiver.url("/"), json!([{}])).await;
    let path = format!("/v1/webhooks/{}/rotate-secret", webhook["id"].as_str().unwrap());
    let old = webhook["secret"].as_str().unwrap();

    let rotated = admin.act(&path).await.expect(200);
    let new = rotated["secret"].as_str().unwrap();
    eventually("both sign", async || {
        app.publish(&event("todo.created")).await;
        let last = receiver.requests().pop()?;
        (last.is_signed_with(old) && last.is_signed_with(new)).then_some(())
    })
    .await;

    let rotated = admin.post(&path, &json!({ "expire_old_now": true })).await.expect(200);
    let newest = rotated["secret"].as_str().unwrap();
    eventually("the newest alone signs", async || {
        app.publish(&event("todo.created")).await;
        let last = receiver.requests().pop()?;
        (last.is_signed_with(newest) && last.signatures().len() == 1).then_some(())
    })
    .await;

    let wrong = [("/overlap_seconds", "contradiction")];
    let bad = json!({ "expire_old_now": true, "overlap_seconds": 5 });
    admin.post(&path, &bad).await.wrong(422, "invalid", &wrong);
    let wrong = [("/overlap_seconds", "out_of_range")];
    admin.post(&path, &json!({ "overlap_seconds": 2_592_001 })).await.wrong(422, "invalid", &wrong);
}

#[tokio::test]
async fn what_waits_is_counted_and_since_when() {
    let app = App::create().await;
    let api = app.api().await;
    let admin = api.admin();
    let webhook = admin.add("http://127.0.0.1:9/", json!([{}])).await;
    let path = format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap());
    assert_eq!((&webhook["waiting"], &webhook["oldest_waiting_at"]), (&json!(0), &Value::Null));
    let _roles = [app.start_role("router").await, app.start_role("recorder").await];

    let events = [event("todo.created"), event("todo.created")];
    app.publish_all(&events).await;
    let stored = app.database.records_event(&events[0].id).await;
    let other = app.database.records_event(&events[1].id).await;
    let oldest = stored.received_at.min(other.received_at).to_string();
    assert_eq!(admin.get(&path).await.expect(200)["oldest_waiting_at"], oldest);
    for event in &events {
        let redeliver = format!("/v1/deliveries/{}/{}/redeliver", event.id, webhook["id"].as_str().unwrap());
        admin.act(&redeliver).await.expect(202);
    }
    admin.shows(&path, "/waiting", json!(2)).await;
    assert_eq!(admin.all("/v1/webhooks").await[0]["waiting"], 2);
}
