//! What a panic costs: a delivery an attempt, a task its session, a task without which a process cannot work
//! the process; never a delivery, and nothing stalls. Debug builds panic where `POSTHORN_FAILPOINTS` says.

use posthorn_tests::{App, Load, Process, Receiver, Reply, always, event, eventually_is, metrics, statuses};

/// A role that panics once at this point.
async fn role_with(app: &mut App, role: &str, failpoint: &str) -> Process {
    app.settings.insert("POSTHORN_FAILPOINTS".to_owned(), format!("{failpoint}=1"));
    let process = app.start_role(role).await;
    app.settings.remove("POSTHORN_FAILPOINTS");
    process
}

async fn sessions_lost(process: &mut Process) -> u64 {
    let counted = metrics::parse(&process.page("/metrics").await.1);
    counted.get("posthorn_broker_sessions_lost_total").copied().unwrap_or_default() as u64
}

#[tokio::test]
async fn a_panic_in_an_attempt_interrupts_it_and_costs_the_rest_of_its_batch_nothing() {
    let mut app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let mut webhooks = Vec::new();
    for path in ["/a", "/b", "/c"] {
        webhooks.push(app.add_webhook(&receiver.url(path), &[]).await);
    }
    let mut dispatcher = role_with(&mut app, "dispatcher", "dispatcher.attempt").await;
    let _others = (app.start_role("router").await, app.start_role("recorder").await);

    app.publish(&event("todo.created")).await;
    receiver.receives(3).await;
    let mut outcomes = Vec::new();
    for webhook in &webhooks {
        let attempts = app.database.records_attempts(webhook, 1).await;
        outcomes.push(attempts[0].outcome.clone());
    }
    outcomes.sort();
    assert_eq!(outcomes, ["accepted", "accepted", "interrupted"]);
    assert_eq!(sessions_lost(&mut dispatcher).await, 0);
    // What was not acknowledged would come back to another.
    dispatcher.stop().await;
    assert_eq!(app.waiting_batches().await, 0);
}

#[tokio::test]
async fn a_panic_behind_an_attempt_repeats_no_request() {
    let mut app = App::create().await;
    let receiver = Receiver::start(statuses([503, 200])).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let mut dispatcher = role_with(&mut app, "dispatcher", "dispatcher.confirm").await;
    let _others = (app.start_role("router").await, app.start_role("recorder").await);

    app.publish(&event("todo.created")).await;
    let attempts = app.database.records_attempts(&webhook, 2).await;
    let made: Vec<_> = attempts.iter().map(|made| (made.attempt, made.outcome.as_str())).collect();
    assert_eq!(made, [(1, "refused"), (2, "accepted")]);
    assert_eq!(receiver.count(), 2);
    assert_eq!(sessions_lost(&mut dispatcher).await, 0);
}

#[tokio::test]
async fn an_event_that_panics_when_it_is_read_is_rejected_alone() {
    let mut app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _router = app.start_role("router").await;
    let events = [(); 20].map(|()| event("todo.created"));
    app.publish_all(&events).await;
    let _dispatcher = role_with(&mut app, "dispatcher", "dispatcher.read").await;
    let _recorder = app.start_role("recorder").await;

    receiver.receives(19).await;
    eventually_is("rejected", 1, async || app.database.rejected_events().await.len()).await;
    let rejected = app.database.rejected_events().await.remove(0);
    assert_eq!(rejected.field, "message");
    assert!(rejected.reason.contains("panicked"), "{}", rejected.reason);
    assert_eq!(receiver.count(), 19);
}

#[tokio::test]
async fn a_panic_of_any_task_of_a_session_ends_the_session_and_loses_nothing() {
    let failpoints = [
        ("router", "router.settle"),
        ("router", "broker.publish"),
        ("router", "broker.journal"),
        ("router", "broker.acknowledge"),
        ("dispatcher", "dispatcher.take"),
        ("dispatcher", "broker.publish"),
        ("dispatcher", "broker.journal"),
        ("dispatcher", "broker.acknowledge"),
        ("recorder", "broker.acknowledge"),
    ];
    for (role, failpoint) in failpoints {
        let mut app = App::create().await;
        // The retries pass through the webhook's queue.
        let receiver = Receiver::start(statuses([503, 200])).await;
        let webhook = app.add_webhook(&receiver.url("/"), &["--event-types", "load.*"]).await;
        let mut others = Vec::new();
        for other in ["router", "dispatcher", "recorder"] {
            if other != role {
                others.push(app.start_role(other).await);
            }
        }
        let mut process = role_with(&mut app, role, failpoint).await;

        let load = Load::start(&app, 100, 50).await;
        let mut published = load.finish().await;
        published.sort();
        eventually_is(failpoint, published.clone(), async || receiver.accepted("/")).await;
        app.database.records_attempts(&webhook, 2 * published.len()).await;
        let lost = format!("sessions lost by {failpoint} of a {role}");
        eventually_is(&lost, 1, async || sessions_lost(&mut process).await).await;
        process.stop().await;
    }
}

#[tokio::test]
async fn a_router_that_cannot_follow_the_webhooks_any_more_ends() {
    let mut app = App::create().await;
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    app.settings.insert("POSTHORN_FAILPOINTS".to_owned(), "router.follow=1".to_owned());
    let mut router = app.spawn(&["router"]);
    assert_eq!(router.exit_code().await, 1);
}
