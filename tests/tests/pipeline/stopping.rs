//! SIGTERM: what runs is finished, nothing is lost, nothing is repeated.

use posthorn_tests::{
    App, Gate, Ledger, Load, Process, Receiver, Reply, Webhook, always, event, eventually, eventually_is, ids,
};

const EVENTS: usize = 600;
const PER_SECOND: u32 = 150;

#[tokio::test]
async fn a_router_stopped_under_load_loses_and_repeats_nothing() {
    stopped_under_load("router").await;
}

#[tokio::test]
async fn a_dispatcher_stopped_under_load_loses_and_repeats_nothing() {
    stopped_under_load("dispatcher").await;
}

#[tokio::test]
async fn a_recorder_stopped_under_load_loses_and_repeats_nothing() {
    stopped_under_load("recorder").await;
}

#[tokio::test]
async fn all_roles_in_one_process_stopped_under_load_lose_and_repeat_nothing() {
    stopped_under_load("all").await;
}

/// Stops the role twice, starting another in its place each time.
async fn stopped_under_load(role: &str) {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let webhooks = two_webhooks(&app, &receiver).await;
    let mut others = Vec::new();
    for other in ["router", "dispatcher", "recorder"] {
        if other != role && role != "all" {
            others.push(app.start_role(other).await);
        }
    }
    let mut process = app.start_role(role).await;
    let load = Load::start(&app, PER_SECOND, EVENTS).await;
    for stop_at in [EVENTS / 3, EVENTS] {
        receiver.receives(stop_at).await;
        process.stop().await;
        process = app.start_role(role).await;
    }

    let published = &load.finish().await;
    Ledger { app: &app, receiver: &receiver, webhooks: &webhooks, published }.settles_exactly_once().await;
}

#[tokio::test]
async fn a_router_stopped_amid_wide_fan_outs_finishes_those_it_has_begun() {
    const WEBHOOKS: usize = 40;
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    for number in 0..WEBHOOKS {
        app.add_webhook(&receiver.url(&format!("/{number}")), &[]).await;
    }
    let router = app.start_role("router").await;
    let events: Vec<_> = (0..EVENTS).map(|_| event("todo.created")).collect();
    let publishing = app.publish_all(&events);
    let stopping = async {
        eventually("a backlog half routed", async || {
            (app.waiting_batches().await > EVENTS as u64 / 10).then_some(())
        })
        .await;
        router.stop().await;
    };
    tokio::join!(publishing, stopping);

    let _others = app.start().await;
    for number in 0..WEBHOOKS {
        let path = format!("/{number}");
        eventually_is("arrived, each once", ids(&events), async || receiver.ids(&path)).await;
    }
}

#[tokio::test]
async fn a_stopping_dispatcher_takes_nothing_new_and_finishes_the_attempts_it_has_begun() {
    let app = App::create().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let receiver = Receiver::start(move |_| Reply::status(200).when(&held)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let mut roles = app.start().await;
    let (begun, later) = (event("todo.created"), event("todo.created"));
    app.publish(&begun).await;
    receiver.receives(1).await;

    roles.dispatcher.terminate();
    takes_nothing_new(&mut roles.dispatcher).await;
    app.publish(&later).await;
    eventually_is("waiting batches", 1, async || app.waiting_batches().await).await;
    assert!(roles.dispatcher.is_running(), "it waits for the attempt");
    gate.open();
    assert_eq!(roles.dispatcher.exit_code().await, 0, "{}", roles.dispatcher.log());

    let attempts = app.database.records_attempts(&webhook, 1).await;
    assert_eq!(
        (attempts[0].event_id.as_str(), attempts[0].outcome.as_str()),
        (begun.id.as_str(), "accepted")
    );
    let _next = app.start_role("dispatcher").await;
    receiver.receives_of(&later.id, 1).await;
    app.database.records_attempts(&webhook, 2).await;
    assert_eq!(receiver.count(), 2, "the finished attempt is not repeated");
}

#[tokio::test]
async fn a_second_sigterm_ends_a_role_at_once_and_shows_in_its_exit_code() {
    let app = App::create().await;
    let receiver = Receiver::start(|_| Reply::status(200).when(&Gate::closed())).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let mut roles = app.start().await;
    app.publish(&event("todo.created")).await;
    receiver.receives(1).await;

    roles.dispatcher.terminate();
    takes_nothing_new(&mut roles.dispatcher).await;
    assert!(roles.dispatcher.is_running(), "it waits for the attempt");
    roles.dispatcher.terminate();

    assert_ne!(roles.dispatcher.exit_code().await, 0);
    let _next = app.start_role("dispatcher").await;
    receiver.receives(2).await;
}

#[tokio::test]
async fn an_attempt_that_outlasts_the_grace_period_is_made_again_by_the_next_dispatcher() {
    let app = App::with(&[("POSTHORN_GRACE_PERIOD", "1s")]).await;
    let receiver = Receiver::start(|_| Reply::status(200).when(&Gate::closed())).await;
    app.add_webhook(&receiver.url("/"), &["--timeout", "30s"]).await;
    let mut roles = app.start().await;
    let event = event("todo.created");
    app.publish(&event).await;
    receiver.receives(1).await;

    roles.dispatcher.terminate();
    roles.dispatcher.exit_code().await;
    let _next = app.start_role("dispatcher").await;

    let requests = receiver.receives(2).await;
    assert_eq!((requests[1].id(), requests[1].attempt()), (event.id.as_str(), 1));
}

#[tokio::test]
async fn idle_roles_stop_at_once() {
    let app = App::create().await;
    let roles = app.start().await;
    for mut process in [roles.router, roles.dispatcher, roles.recorder] {
        process.terminate();
        assert_eq!(process.exit_code().await, 0, "{}", process.log());
    }
}

async fn two_webhooks(app: &App, receiver: &Receiver) -> [Webhook; 2] {
    let types = ["--event-types", "load.*"];
    [app.add_webhook(&receiver.url("/a"), &types).await, app.add_webhook(&receiver.url("/b"), &types).await]
}

/// A queue counts a cancelled consumer as long as it has a delivery in hand: the dispatcher tells itself.
async fn takes_nothing_new(dispatcher: &mut Process) {
    eventually("the dispatcher takes nothing new", async || {
        let (_, readiness) = dispatcher.readiness().await;
        readiness["missing"].to_string().contains("takes nothing new").then_some(())
    })
    .await;
}
