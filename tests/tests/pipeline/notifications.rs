//! What people are told of webhooks: events of our own, and mails.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use posthorn_tests::{
    App, Mailbox, Receiver, Reply, Request, Webhook, always, database::uuid_of, event, eventually,
    eventually_is,
};
use serde_json::{Value, json};

/// A receiver that fails until it is healed, and is healed for some events from the start.
async fn receiver_that_fails(healed: &Arc<AtomicBool>) -> Receiver {
    let healthy = healed.clone();
    Receiver::start(move |request| {
        let fails = request.path.starts_with("/broken") && !healthy.load(Ordering::SeqCst);
        Reply::status(if fails { 500 } else { 200 })
    })
    .await
}

/// The bodies of notifications about one webhook that came to a path, in the order that they tell: they
/// may overtake each other on their way.
fn told(receiver: &Receiver, path: &str) -> Vec<Value> {
    let body = |request: &Request| serde_json::from_slice(&request.body).expect("JSON");
    let mut bodies: Vec<Value> = receiver.to(path).iter().map(body).collect();
    bodies.sort_by_key(|body| body["data"]["sequence"].as_u64());
    bodies
}

fn sequences(bodies: &[Value]) -> Vec<u64> {
    bodies.iter().map(|body| body["data"]["sequence"].as_u64().expect("it is numbered")).collect()
}

fn types(bodies: &[Value]) -> Vec<&str> {
    bodies.iter().map(|body| body["type"].as_str().unwrap_or_default()).collect()
}

/// Waits until so many notifications came to a path, and returns their bodies.
async fn is_told(receiver: &Receiver, path: &str, count: usize) -> Vec<Value> {
    let what = format!("{count} notifications at {path}");
    eventually(&what, async || Some(told(receiver, path)).filter(|bodies| bodies.len() >= count)).await
}

async fn has_contact(app: &App, webhook: &Webhook) {
    let update = "UPDATE webhooks SET contact = 'Orders <orders@example.com>' WHERE id = $1";
    app.database.execute(update, &[&uuid_of(&webhook.id)]).await;
}

#[tokio::test]
async fn whoever_asks_by_name_and_the_contact_are_told_that_a_webhook_fails_is_disabled_and_enabled() {
    let mailbox = Mailbox::start(0).await;
    let app = App::with(&[
        ("POSTHORN_SMTP_URL", &mailbox.url),
        ("POSTHORN_SMTP_FROM", "Posthorn <posthorn@example.com>"),
    ])
    .await;
    let receiver = receiver_that_fails(&Arc::default()).await;
    let url = receiver.url("/broken?key=secret");
    let broken = app
        .add_webhook(&url, &["--name", "orders", "--companies", "c1", "--event-types", "*,webhook.*"])
        .await;
    has_contact(&app, &broken).await;
    app.add_webhook(&receiver.url("/told"), &["--event-types", "webhook.*"]).await;
    app.add_webhook(&receiver.url("/company"), &["--event-types", "webhook.*", "--companies", "c1"]).await;
    app.add_webhook(&receiver.url("/other"), &["--event-types", "webhook.*", "--companies", "c2"]).await;
    app.add_webhook(&receiver.url("/all"), &[]).await;
    let _roles = app.start().await;

    let failing = event("todo.created");
    app.publish(&failing).await;
    eventually_is("state", "disabled".to_owned(), async || app.state(&broken).await).await;
    is_told(&receiver, "/told", 2).await;
    app.webhook("enable", &broken).await;
    is_told(&receiver, "/told", 3).await;
    is_told(&receiver, "/company", 3).await;
    let bodies = told(&receiver, "/told");
    assert_eq!(types(&bodies), ["webhook.failing", "webhook.disabled", "webhook.enabled"]);
    let data = &bodies[1]["data"];
    assert_eq!(data["webhook"]["id"], broken.id.as_str());
    assert_eq!((&data["webhook"]["name"], &data["reason"]), (&json!("orders"), &json!("exhausted")));
    assert!(!data.to_string().contains("secret"), "{data}");
    assert_eq!((&data["outcome"]["status"], &data["outcome"]["attempt"]), (&json!(500), &json!(6)));
    assert_eq!(bodies[0]["data"]["outcome"]["attempt"], 4, "half of five retries are used");
    assert_eq!(bodies[1]["company_id"], "c1");
    let id = bodies[1]["id"].as_str().unwrap();
    assert_eq!(id, format!("webhook_disabled_{}_2", broken.id));
    assert_eq!(sequences(&bodies), [1, 2, 3]);

    // Neither the webhook itself, nor another company, nor who wants "all" is told.
    receiver.receives_of(&failing.id, 1).await;
    let routed = app.database.records_event(id).await;
    assert_eq!(routed.webhook_ids.len(), 2, "told and company");
    assert!(receiver.to("/other").is_empty());
    assert_eq!(receiver.ids("/all"), [failing.id]);
    let to_broken = receiver.to("/broken?key=secret");
    assert!(!to_broken.is_empty());
    assert!(to_broken.iter().all(|request| !request.id().starts_with("webhook")));

    let mails = mailbox.receives(3).await;
    assert!(mails.iter().all(|mail| mail.recipient == "orders@example.com"));
    for (mail, part) in mails.iter().zip(["is failing", "was disabled", "was enabled"]) {
        assert!(mail.data.contains(&format!("Subject: Webhook orders {part}\n")), "{}", mail.data);
    }
    let disabled = mails[1].data.replace("=\n", "");
    assert!(disabled.contains("the receiver answered 500 (attempt 6 of the event"), "{disabled}");
    assert!(disabled.contains(&format!("Message-ID: <{id}@example.com>")), "{disabled}");
    let left = "SELECT (SELECT count(*) FROM notifications) + (SELECT count(*) FROM mails)";
    eventually_is("what is left to tell", 0, async || app.database.count(left, &[]).await).await;
    assert_eq!(mailbox.mails().len(), 3);
}

#[tokio::test]
async fn a_failing_webhook_recovers_once_what_was_in_trouble_is_accepted_and_flapping_is_not_told() {
    let app = App::create().await;
    let receiver = Receiver::start(|request| {
        let fails = request.path.starts_with("/broken") && request.attempt() < 5;
        Reply::status(if fails { 500 } else { 200 })
    })
    .await;
    let broken = app.add_webhook(&receiver.url("/broken"), &[]).await;
    app.add_webhook(&receiver.url("/told"), &["--event-types", "webhook.*"]).await;
    let _roles = app.start().await;

    app.publish(&event("todo.created")).await;
    is_told(&receiver, "/told", 2).await;
    let bodies = told(&receiver, "/told");
    assert_eq!(types(&bodies), ["webhook.failing", "webhook.recovered"]);
    assert_eq!(app.state(&broken).await, "healthy");

    app.publish(&event("todo.created")).await;
    app.database.records_attempts(&broken, 10).await;
    app.webhook("disable", &broken).await;
    is_told(&receiver, "/told", 3).await;
    let bodies = told(&receiver, "/told");
    assert_eq!(types(&bodies)[2], "webhook.disabled", "neither failing nor recovered again");
    assert_eq!(bodies[2]["data"]["reason"], "operator");
    assert_eq!(sequences(&bodies), [1, 2, 3]);
}

#[tokio::test]
async fn a_notification_waits_until_it_can_be_told_and_keeps_its_id() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    app.add_webhook(&receiver.url("/told"), &["--event-types", "webhook.disabled"]).await;
    app.webhook("disable", &webhook).await;
    app.database.script("CREATE TABLE kept AS SELECT * FROM notifications").await;
    let _roles = app.start().await;
    let _second = app.start_role("recorder").await;
    is_told(&receiver, "/told", 1).await;
    let left = "SELECT count(*) FROM notifications";
    eventually_is("left", 0, async || app.database.count(left, &[]).await).await;

    // As a recorder leaves it that falls after the broker's confirm.
    app.database
        .script(
            "INSERT INTO notifications (kind, webhook_id, epoch, happened_at, reason, sequence)
             SELECT kind, webhook_id, epoch, happened_at, reason, sequence FROM kept",
        )
        .await;
    is_told(&receiver, "/told", 2).await;
    eventually_is("left", 0, async || app.database.count(left, &[]).await).await;
    let ids = receiver.ids("/told");
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]), "two recorders tell each once");
}

#[tokio::test]
async fn a_mail_is_tried_again_until_the_server_takes_it() {
    let mailbox = Mailbox::start(1).await;
    let app =
        App::with(&[("POSTHORN_SMTP_URL", &mailbox.url), ("POSTHORN_SMTP_FROM", "posthorn@example.com")])
            .await;
    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    has_contact(&app, &webhook).await;
    let _roles = app.start().await;
    app.webhook("disable", &webhook).await;

    eventually_is("refused mails", 1, async || mailbox.refused()).await;
    let waiting = "SELECT count(*) FROM mails WHERE due_at > now() + interval '50 seconds'";
    eventually_is("waiting mails", 1, async || app.database.count(waiting, &[]).await).await;
    app.database.script("UPDATE mails SET due_at = now()").await;
    assert!(mailbox.receives(1).await[0].data.contains("disabled by a person"));
    let left = "SELECT count(*) FROM mails";
    eventually_is("left", 0, async || app.database.count(left, &[]).await).await;
}

#[tokio::test]
async fn services_cannot_publish_events_of_our_own() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &["--event-types", "webhook.*,todo.*"]).await;
    let _roles = app.start().await;

    app.publish(&event("webhook.disabled")).await;
    let rejected = eventually("it is rejected", async || app.database.rejected_events().await.pop()).await;
    assert_eq!(rejected.field, "type");
    assert!(rejected.reason.contains("Posthorn's own"), "{}", rejected.reason);
    let refused = app.run(&["publish", "--type", "webhook.created"]).await;
    assert!(refused.failure().contains("Posthorn's own"));
    let last = event("todo.created");
    app.publish(&last).await;
    receiver.receives_of(&last.id, 1).await;
    assert_eq!(receiver.count(), 1);
}
