//! Disabling after the last retry, exactly once, and enabling again.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use posthorn_tests::{App, Gate, Receiver, Reply, Webhook, always, event, eventually, eventually_is, ids};
use serde_json::Value;

#[tokio::test]
async fn the_last_failed_retry_disables_and_enabling_resumes_the_backlog_afresh() {
    let app = App::create().await;
    let healed = Arc::new(AtomicBool::new(false));
    let healthy = healed.clone();
    let receiver = Receiver::start(move |request| {
        let fails = request.path == "/broken" && !healthy.load(Ordering::SeqCst);
        Reply::status(if fails { 500 } else { 200 })
    })
    .await;
    let broken = app.add_webhook(&receiver.url("/broken"), &[]).await;
    let _other = app.add_webhook(&receiver.url("/other"), &[]).await;
    let _roles = app.start().await;

    let (exhausted, retrying) = (event("todo.created"), event("todo.created"));
    app.publish(&exhausted).await;
    eventually("attempt 5", async || has_reached(&receiver, &exhausted.id, 5)).await;
    app.publish(&retrying).await;
    let disabled = becomes_disabled(&app, &broken).await;
    assert_eq!(disabled["disabled"]["reason"], "exhausted");
    assert_eq!(disabled["disabled"]["outcome"]["status"], 500);
    assert_eq!(disabled["epoch"], 1);
    assert!(disabled["disabled"]["at"].is_string(), "{disabled}");
    app.is_let_go(&broken).await;
    let made = receiver.to("/broken").len();

    let (routed, missed) = app.misses(&broken).await;
    receiver.receives_of(&missed.id, 1).await;
    let waiting = 1 + routed.len();
    eventually_is("waiting deliveries", Some(waiting as u64), async || app.waiting(&broken).await).await;
    assert_eq!(receiver.to("/broken").len(), made, "no attempt for a disabled webhook");

    healed.store(true, Ordering::SeqCst);
    let enabled = app.webhook("enable", &broken).await;
    assert_eq!((&enabled["epoch"], &enabled["disabled"]), (&2.into(), &Value::Null));
    eventually_is("waiting deliveries", Some(0), async || app.waiting(&broken).await).await;
    eventually_is("state", "healthy".to_owned(), async || app.state(&broken).await).await;
    let resumed = &receiver.to("/broken")[made..];
    let mut resumed_ids: Vec<_> = resumed.iter().map(|request| request.id().to_owned()).collect();
    resumed_ids.sort();
    let mut waited = [routed, ids([&retrying])].concat();
    waited.sort();
    assert_eq!(resumed_ids, waited, "what waited, not what came meanwhile");
    assert!(resumed.iter().all(|request| request.attempt() == 1), "attempts count from 1 again");
    let attempts = app.database.records_attempts(&broken, made + waiting).await;
    assert!(attempts[made..].iter().all(|attempt| attempt.epoch == 2 && attempt.attempt == 1));
}

#[tokio::test]
async fn two_dispatchers_that_fail_many_last_retries_at_once_disable_once() {
    let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "200ms")]).await;
    let gate = Gate::closed();
    let held = gate.clone();
    let receiver = Receiver::start(move |request| match request.attempt() {
        1 => Reply::status(500),
        _ => Reply::status(500).when(&held),
    })
    .await;
    let webhook = app.add_webhook(&receiver.url("/"), &["--max-in-flight", "16"]).await;
    audit_webhooks(&app).await;
    let _roles = app.start().await;
    let _second = app.start_role("dispatcher").await;

    app.publish_all(&[(); 40].map(|()| event("todo.created"))).await;
    let what = "last retries are under way, more than one dispatcher may make";
    eventually(what, async || (receiver.pending() > 20).then_some(())).await;
    gate.open();
    becomes_disabled(&app, &webhook).await;
    app.is_let_go(&webhook).await;
    eventually_is("requests under way", 0, async || receiver.pending()).await;
    let attempts = app.database.records_attempts(&webhook, receiver.count()).await;

    assert!(attempts.iter().filter(|attempt| attempt.attempt == 2).count() > 20);
    let changes =
        async |what: &str| app.database.count(&format!("SELECT count(*) FROM audit WHERE {what}"), &[]).await;
    assert_eq!(changes("new_state = 'disabled' AND old_state <> 'disabled'").await, 1);
    assert_eq!(changes("old_revision <> new_revision").await, 1);
    assert_eq!(
        changes("old_disabled_at IS NOT NULL AND old_disabled_at IS DISTINCT FROM new_disabled_at").await,
        0
    );
    assert_eq!(app.webhook("show", &webhook).await["epoch"], 1);
}

#[tokio::test]
async fn with_policy_failing_a_poisonous_event_does_not_silence_a_healthy_receiver() {
    let app = App::create().await;
    let poison = event("todo.created");
    let poison_id = poison.id.clone();
    let receiver =
        Receiver::start(move |request| Reply::status(if request.id() == poison_id { 500 } else { 200 }))
            .await;
    let webhook = app.add_webhook(&receiver.url("/"), &["--disable-policy", "failing"]).await;
    let _roles = app.start().await;

    app.publish(&poison).await;
    receiver.receives_of(&poison.id, 1).await;
    app.publish(&event("todo.created")).await;

    let last = eventually("the last retry is recorded", async || {
        app.database.attempts(&webhook).await.into_iter().find(|attempt| attempt.attempt == 6)
    })
    .await;
    assert_eq!((last.event_id.as_str(), last.step.as_str()), (poison.id.as_str(), "give_up"));
    assert_ne!(app.state(&webhook).await, "disabled");
    let after = event("todo.created");
    app.publish(&after).await;
    receiver.receives_of(&after.id, 1).await;
    assert_eq!(receiver.of(&poison.id).len(), 6);
}

#[tokio::test]
async fn with_policy_failing_a_receiver_that_accepts_nothing_is_disabled() {
    let app = App::create().await;
    let receiver = Receiver::start(always(500)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &["--disable-policy", "failing"]).await;
    let _roles = app.start().await;

    app.publish(&event("todo.created")).await;

    let disabled = becomes_disabled(&app, &webhook).await;
    assert_eq!(disabled["disabled"]["reason"], "exhausted");
    let attempts = app.database.records_attempts(&webhook, 6).await;
    assert_eq!(attempts[5].step, "disable");
}

fn has_reached(receiver: &Receiver, event_id: &str, attempt: usize) -> Option<()> {
    receiver
        .of(event_id)
        .iter()
        .any(|request| request.path == "/broken" && request.attempt() == attempt)
        .then_some(())
}

async fn becomes_disabled(app: &App, webhook: &Webhook) -> Value {
    eventually("the webhook is disabled", async || {
        let shown = app.webhook("show", webhook).await;
        (shown["state"] == "disabled").then_some(shown)
    })
    .await
}

/// Notes every update of a webhook in a table `audit`.
async fn audit_webhooks(app: &App) {
    app.database
        .script(
            "CREATE TABLE audit (old_state text, new_state text, old_revision bigint, new_revision bigint,
                                 old_disabled_at timestamptz, new_disabled_at timestamptz);
             CREATE FUNCTION audit_webhook() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 INSERT INTO audit VALUES (OLD.state::text, NEW.state::text, OLD.revision, NEW.revision,
                                           OLD.disabled_at, NEW.disabled_at);
                 RETURN NULL;
             END $$;
             CREATE TRIGGER audit_webhook AFTER UPDATE ON webhooks FOR EACH ROW EXECUTE FUNCTION audit_webhook();",
        )
        .await;
}
