//! Delivery batches: what cannot be attempted soon goes to its webhook's queue.

use posthorn_tests::{App, Gate, Process, Receiver, Reply, event, eventually, eventually_is, metrics};

#[tokio::test]
async fn deliveries_to_a_receiver_that_stops_answering_are_queued_though_it_has_permits_left() {
    let app = App::create().await;
    let gate = Gate::closed();
    let receiver = held_by(&gate).await;
    app.add_webhook(&receiver.url("/"), &["--max-in-flight", "1000"]).await;
    let mut roles = app.start().await;

    eventually("a delivery is queued", async || {
        app.publish(&event("todo.created")).await;
        (queued(&mut roles.dispatcher).await > 0).then_some(())
    })
    .await;

    gate.open();
    eventually_is("deliveries without an answer", 0, async || receiver.pending()).await;
}

#[tokio::test]
async fn a_round_that_comes_back_three_times_is_queued() {
    let app = App::create().await;
    let gate = Gate::closed();
    let receiver = held_by(&gate).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let _others = (app.start_role("router").await, app.start_role("recorder").await);
    let event = event("todo.created");
    app.publish(&event).await;

    for attempts in 1..=3 {
        let mut dispatcher = app.start_role("dispatcher").await;
        receiver.receives(attempts).await;
        assert_eq!(queued(&mut dispatcher).await, 0);
        dispatcher.kill().await;
    }
    let mut dispatcher = app.start_role("dispatcher").await;
    receiver.receives(4).await;
    assert_eq!(queued(&mut dispatcher).await, 1);

    gate.open();
    let attempts = app.database.records_attempts(&webhook, 1).await;
    assert_eq!((attempts[0].attempt, attempts[0].outcome.as_str()), (1, "accepted"));
}

/// A receiver that answers once the gate opens.
async fn held_by(gate: &Gate) -> Receiver {
    let held = gate.clone();
    Receiver::start(move |_| Reply::status(200).when(&held)).await
}

async fn queued(dispatcher: &mut Process) -> u64 {
    let counted = metrics::parse(&dispatcher.page("/metrics").await.1);
    counted.get("posthorn_deliveries_queued_total").copied().unwrap_or_default() as u64
}
