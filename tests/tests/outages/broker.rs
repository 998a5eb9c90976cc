//! The broker goes away and comes back.

use std::time::Duration;

use posthorn_tests::{
    App, Gate, Ledger, Load, Receiver, Reply, Servers, Webhook, always, event, eventually, eventually_is,
    within,
};

const PER_SECOND: u32 = 80;

#[tokio::test]
async fn a_broker_restarted_under_load_loses_nothing() {
    let servers = Servers::private().await;
    survives(&servers, async || servers.stop_broker().await).await;
}

#[tokio::test]
async fn a_broker_killed_under_load_loses_nothing() {
    let servers = Servers::private().await;
    survives(&servers, async || servers.kill_broker().await).await;
}

async fn survives(servers: &Servers, goes_down: impl AsyncFn()) {
    let app = App::on(servers, &[]).await;
    let receiver = Receiver::start(always(200)).await;
    let webhooks = two_webhooks(&app, &receiver).await;
    let mut roles = app.start().await;
    let load = Load::start(&app, PER_SECOND, 100_000).await;
    receiver.receives(200).await;

    goes_down().await;
    servers.start_broker().await;

    let (confirmed, received) = (load.confirmed(), receiver.count());
    load.reaches(confirmed + 100).await;
    eventually("events flow again", async || (receiver.count() >= received + 200).then_some(())).await;
    let published = &load.stop().await;
    Ledger { app: &app, receiver: &receiver, webhooks: &webhooks, published }.settles().await;
    for process in [&mut roles.router, &mut roles.dispatcher, &mut roles.recorder] {
        process.ready().await;
    }
    for process in [roles.router, roles.dispatcher, roles.recorder] {
        process.stop().await;
    }
}

#[tokio::test]
async fn a_hanging_webhook_does_not_hold_back_the_way_back_to_the_broker() {
    let servers = Servers::private().await;
    let app = App::on(&servers, &[]).await;
    let receiver = Receiver::start(|request| match request.path.as_str() {
        "/hanging" => Reply::status(200).when(&Gate::closed()),
        _ => Reply::status(200),
    })
    .await;
    app.add_webhook(&receiver.url("/hanging"), &["--timeout", "30s"]).await;
    app.add_webhook(&receiver.url("/healthy"), &[]).await;
    let mut roles = app.start().await;
    let before = event("todo.created");
    app.publish(&before).await;
    receiver.receives(2).await;

    servers.stop_broker().await;
    servers.start_broker().await;

    within(Duration::from_secs(20), "the dispatcher is ready", async || {
        (roles.dispatcher.readiness().await.0 == 200).then_some(())
    })
    .await;
    let after = event("todo.created");
    app.publish(&after).await;
    within(Duration::from_secs(5), "the healthy webhook receives", async || {
        receiver.ids("/healthy").contains(&after.id).then_some(())
    })
    .await;
    let hanging = async || receiver.ids("/hanging");
    let mut expected = [before.id, after.id];
    expected.sort();
    eventually_is(
        "attempts at the hanging webhook, none made again beside itself",
        expected.to_vec(),
        hanging,
    )
    .await;
    assert_eq!(receiver.pending(), 2);
}

#[tokio::test]
async fn a_topology_that_the_broker_lost_is_declared_again() {
    let servers = Servers::private().await;
    let app = App::on(&servers, &[]).await;
    let receiver = Receiver::start(always(200)).await;
    let webhooks = two_webhooks(&app, &receiver).await;
    let mut roles = app.start().await;
    app.publish(&event("load.before")).await;
    receiver.receives(2).await;

    servers.stop_broker().await;
    servers.wipe_broker();
    servers.start_broker().await;

    for process in [&mut roles.router, &mut roles.dispatcher, &mut roles.recorder] {
        process.ready().await;
    }
    for webhook in &webhooks {
        app.is_served_by(webhook, 1).await;
    }
    let after = event("load.after");
    app.publish(&after).await;
    receiver.receives_of(&after.id, 2).await;
    app.database.records_event(&after.id).await;
    for queue in ["router", "journal", "orphans", "retry.270", "retry.300", "retry.990"] {
        assert!(app.broker.queue(&app.name(queue)).await.is_some(), "queue {queue}");
    }
    for exchange in ["events", "deliveries", "orphans", "retry.300"] {
        assert!(app.broker.has_exchange(&app.name(exchange)).await, "exchange {exchange}");
    }
}

async fn two_webhooks(app: &App, receiver: &Receiver) -> [Webhook; 2] {
    let types = ["--event-types", "load.*"];
    [app.add_webhook(&receiver.url("/a"), &types).await, app.add_webhook(&receiver.url("/b"), &types).await]
}
