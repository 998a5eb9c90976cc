//! A broker that goes away again and again, and processes that do: what merely was in flight is blamed for
//! nothing.

use posthorn_tests::{
    App, Cable, Gate, Receiver, Reply, Servers, always, broker::identified, event, eventually, eventually_is,
    ids, metrics, reference, webhook::Webhook,
};
use prost::Message;

const FLAPS: usize = 21;
const EVENTS: usize = 500;

#[tokio::test]
async fn events_in_flight_while_the_broker_flaps_are_not_blamed() {
    let servers = Servers::private().await;
    let mut app = App::on(&servers, &[]).await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    app.start_role("router").await.stop().await;
    let events: Vec<_> = (0..EVENTS).map(|_| event("todo.created")).collect();
    app.publish_all(&events).await;
    servers.control(&["set_vm_memory_high_watermark", "absolute", "1MB"]).await;

    // It takes all of them and can publish nothing.
    let broker = app.settings["POSTHORN_AMQP_URL"].clone();
    let address =
        broker.split(['@', '/']).find_map(|part| part.parse().ok()).expect("the URL has an address");
    let cable = Cable::to(address).await;
    let through = broker.replace(&address.to_string(), &cable.address().to_string());
    app.settings.insert("POSTHORN_AMQP_URL".to_owned(), through);
    let mut router = app.spawn(&["router"]);
    app.settings.insert("POSTHORN_AMQP_URL".to_owned(), broker);
    for _ in 0..FLAPS {
        eventually("all are in flight, or wait among the suspects", async || {
            let queue = app.broker.queue(&app.name("router")).await?;
            (cable.open() >= 2 && queue.ready == 0 && queue.consumers == 1).then_some(())
        })
        .await;
        cable.cut().await;
    }
    eventually("each loss of a session is counted", async || {
        let counted = metrics::parse(&router.page("/metrics").await.1);
        (counted["posthorn_broker_sessions_lost_total"] >= FLAPS as f64).then_some(())
    })
    .await;
    servers.control(&["set_vm_memory_high_watermark", "0.4"]).await;

    let _others = (app.start_role("dispatcher").await, app.start_role("recorder").await);
    eventually_is("arrived", ids(&events), async || receiver.accepted("/")).await;
    for event in &events {
        app.database.records_event(&event.id).await;
    }
    assert_eq!(app.database.rejected_events().await.len(), 0);
    assert_eq!(app.broker.queue(&app.name("quarantine")).await.unwrap().ready, 0);
    router.stop().await;
}

/// As often a delivery may come back with others before it is attempted alone, and how often alone.
const RETURNS: usize = 20;
const RETURNS_ALONE: usize = 3;

#[tokio::test]
async fn a_delivery_is_interrupted_only_after_it_came_back_alone() {
    let app = App::create().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let receiver = Receiver::start(move |_| Reply::status(200).when(&held)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &["--timeout", "30s"]).await;
    let _others = (app.start_role("router").await, app.start_role("recorder").await);
    // As a queued delivery is.
    let (deliveries, event) = (app.name("deliveries"), event("todo.created"));
    let properties = identified(&reference(&event.company_id, &event.id));
    app.broker.publish(&deliveries, &webhook.id, properties, &event.encode_to_vec()).await;
    kill_dispatchers(&app, &receiver, RETURNS).await;
    eventually_is("its webhook's queue", 1, async || waiting(&app, &webhook).await).await;
    assert_eq!(app.database.attempts(&webhook).await.len(), 0);

    kill_dispatchers(&app, &receiver, RETURNS_ALONE).await;
    assert_eq!(app.database.attempts(&webhook).await.len(), 0);
    gate.open();
    let _dispatcher = app.start_role("dispatcher").await;
    let attempts = app.database.records_attempts(&webhook, 2).await;
    let told: Vec<_> = attempts.iter().map(|made| (made.attempt, made.outcome.as_str())).collect();
    assert_eq!(told, [(1, "interrupted"), (2, "accepted")]);
}

/// Starts dispatchers one after the other, and kills each while it attempts.
async fn kill_dispatchers(app: &App, receiver: &Receiver, times: usize) {
    for _ in 0..times {
        let before = receiver.count();
        let dispatcher = app.start_role("dispatcher").await;
        receiver.receives(before + 1).await;
        dispatcher.kill().await;
    }
}

async fn waiting(app: &App, webhook: &Webhook) -> u32 {
    app.broker.queue(&app.queue(webhook)).await.map_or(0, |queue| queue.ready)
}
