//! Queues that are missing or differ.

use lapin::types::{AMQPValue, FieldTable};
use posthorn_tests::{
    App, Gate, Receiver, Reply, Webhook, always, event, eventually, eventually_is, ids, statuses,
};

#[tokio::test]
async fn a_webhooks_queue_deleted_by_hand_comes_back_with_its_consumer() {
    let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "1s")]).await;
    let receiver = Receiver::start(statuses([503, 200])).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;
    let retried = event("todo.created");
    app.publish(&retried).await;
    receiver.receives(1).await;
    eventually_is("waiting retries", 1, async || app.retrying().await).await;

    app.broker.delete_queue(&app.queue(&webhook)).await;
    let meanwhile = [(); 50].map(|()| event("todo.created"));
    app.publish_all(&meanwhile).await;

    app.is_served_by(&webhook, 1).await;
    let mut expected = ids(meanwhile.iter().chain([&retried]));
    expected.extend(expected.clone());
    expected.sort();
    eventually_is("arrived, each with one retry", expected, async || receiver.ids("/")).await;
}

#[tokio::test]
async fn deliveries_that_are_queued_for_a_missing_queue_are_not_lost() {
    let app = App::create().await;
    let gate = Gate::closed();
    let (receiver, webhook) = one_at_a_time(&app, &gate).await;
    let _roles = app.start().await;
    app.is_served_by(&webhook, 1).await;

    app.broker.delete_queue(&app.queue(&webhook)).await;
    let events = [(); 50].map(|()| event("todo.created"));
    app.publish_all(&events).await;

    for event in &events {
        app.database.records_event(&event.id).await;
    }
    gate.open();
    eventually_is("arrived", ids(&events), async || receiver.ids("/")).await;
}

#[tokio::test]
async fn a_retry_queue_with_another_ttl_is_an_error_that_names_queue_and_argument() {
    let app = App::create().await;
    let queue = app.name("retry.300");
    app.broker.declare_queue(&queue, retry_queue_arguments(&app, 299)).await;
    refuses_to_start(&app, "dispatcher", &queue, "x-message-ttl").await;
}

#[tokio::test]
async fn a_queue_of_another_type_is_an_error_that_names_queue_and_argument() {
    let app = App::create().await;
    let queue = app.name("batches");
    app.broker.declare_queue(&queue, table([("x-queue-type", text("classic"))])).await;
    refuses_to_start(&app, "router", &queue, "x-queue-type").await;
}

#[tokio::test]
async fn a_service_may_bind_a_queue_of_its_own_to_the_events() {
    let app = App::create().await;
    let _router = app.start_role("router").await;
    let own = app.name("router.audit");
    app.broker.declare_queue(&own, FieldTable::default()).await;
    app.broker.bind(&own, &app.name("events"), "todo.#").await;

    app.publish_all(&[event("todo.created"), event("comment.created")]).await;

    let ready = async || app.broker.queue(&own).await.map(|queue| queue.ready);
    eventually_is("messages in it", Some(1), ready).await;
    app.broker.delete_queue(&own).await;
}

async fn refuses_to_start(app: &App, role: &str, queue: &str, argument: &str) {
    let refused = app.run(&[role]).await;
    let last = refused.stderr.lines().last().unwrap_or_default();
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(last.starts_with("error: ") && last.contains(queue) && last.contains(argument), "{last}");
}

/// Those that Posthorn gives: the broker tells of the first that differs, and that must be the TTL.
fn retry_queue_arguments(app: &App, ttl: i32) -> FieldTable {
    table([
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", AMQPValue::LongLongInt(1_000_000)),
        ("x-message-ttl", AMQPValue::LongInt(ttl)),
        ("x-dead-letter-exchange", text(&app.name("deliveries"))),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ])
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn table<const N: usize>(arguments: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert(name.into(), value);
    }
    table
}

#[tokio::test]
async fn roles_whose_queues_are_deleted_declare_them_again_and_go_on() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let roles = app.start().await;
    app.is_served_by(&webhook, 1).await;

    for queue in ["orphans", "journal", "batches", "router"] {
        app.broker.delete_queue(&app.name(queue)).await;
        let what = format!("{queue} is consumed again");
        eventually(&what, async || {
            app.broker.queue(&app.name(queue)).await.filter(|queue| queue.consumers > 0).map(|_| ())
        })
        .await;
    }

    let event = event("todo.created");
    app.publish(&event).await;
    receiver.receives_of(&event.id, 1).await;
    app.database.records_event(&event.id).await;
    app.database.records_attempts(&webhook, 1).await;
    for role in [roles.router, roles.dispatcher, roles.recorder] {
        role.stop().await;
    }
}

#[tokio::test]
async fn a_delivery_that_finds_neither_its_queue_nor_the_orphans_is_not_lost() {
    let app = App::create().await;
    let gate = Gate::closed();
    let (receiver, webhook) = one_at_a_time(&app, &gate).await;
    let _roles = app.start().await;
    app.is_served_by(&webhook, 1).await;

    app.broker.delete_queue(&app.queue(&webhook)).await;
    app.broker.delete_queue(&app.name("orphans")).await;
    let events = [(); 5].map(|()| event("todo.created"));
    app.publish_all(&events).await;

    for event in &events {
        app.database.records_event(&event.id).await;
    }
    gate.open();
    for event in &events {
        receiver.receives_of(&event.id, 1).await;
    }
}

/// A receiver that answers once the gate opens, and its webhook: what does not wait for its answer is
/// queued.
async fn one_at_a_time(app: &App, gate: &Gate) -> (Receiver, Webhook) {
    let held = gate.clone();
    let receiver = Receiver::start(move |_| Reply::status(200).when(&held)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &["--max-in-flight", "1"]).await;
    (receiver, webhook)
}
