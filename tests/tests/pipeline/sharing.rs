//! Dispatchers share a backlog.

use std::{collections::HashSet, time::Duration};

use posthorn_tests::{App, Process, Receiver, Reply, event, eventually, eventually_is, metrics};

const EVENTS: usize = 800;
const WEBHOOKS: usize = 5;
const DELIVERIES: usize = EVENTS * WEBHOOKS;
/// How many deliveries of batches a dispatcher holds: those of four batches.
const HELD: usize = 200;

/// How long the receiver takes. A dispatcher alone makes 500 attempts a second, then.
const LATENCY: Duration = Duration::from_millis(400);

async fn counted(process: &mut Process, name: &str) -> usize {
    let page = process.page("/metrics").await.1;
    metrics::parse(&page).get(name).copied().unwrap_or_default() as usize
}

#[tokio::test]
async fn a_second_dispatcher_started_into_a_backlog_gets_its_share_at_once() {
    let app = App::with(&[("POSTHORN_DISPATCHER_PREFETCH", &HELD.to_string())]).await;
    let receiver = Receiver::start(|_| Reply::status(200).after(LATENCY)).await;
    for number in 0..WEBHOOKS {
        app.add_webhook(&receiver.url(&format!("/{number}")), &["--max-in-flight", "100"]).await;
    }
    let mut router = app.start_role("router").await;
    let events: Vec<_> = (0..EVENTS).map(|_| event("todo.created")).collect();
    app.publish_all(&events).await;
    eventually_is("deliveries that are routed", DELIVERIES, async || {
        counted(&mut router, "posthorn_deliveries_routed_total").await
    })
    .await;

    let mut first = app.start_role("dispatcher").await;
    receiver.receives(HELD).await;
    let left = app.waiting_batches().await;
    assert!(left >= 40, "{left} batches are left to others");
    let mut second = app.start_role("dispatcher").await;
    eventually("the second one makes attempts while there is a backlog", async || {
        (counted(&mut second, "posthorn_attempts_total").await >= HELD).then_some(())
    })
    .await;

    eventually_is("requests", DELIVERIES, async || receiver.count()).await;
    let distinct: HashSet<_> =
        receiver.requests().iter().map(|request| (request.path.clone(), request.id().to_owned())).collect();
    assert_eq!(distinct.len(), DELIVERIES);
    eventually_is("attempts that have ended", DELIVERIES, async || {
        counted(&mut first, "posthorn_attempts_total").await
            + counted(&mut second, "posthorn_attempts_total").await
    })
    .await;
    let share = counted(&mut second, "posthorn_attempts_total").await;
    assert!(share * 5 >= DELIVERIES, "{share} of {DELIVERIES}");
}

#[tokio::test]
async fn batches_that_hang_do_not_keep_a_dispatcher_from_taking_others() {
    let settings = [
        ("POSTHORN_DISPATCHER_PREFETCH", "50"),
        ("POSTHORN_COMPANY_SHARE", "100"),
        ("POSTHORN_HOST_SHARE", "100"),
    ];
    let app = App::with(&settings).await;
    let hanging = Receiver::start(|_| Reply::status(200).after(Duration::from_secs(60))).await;
    let healthy = Receiver::start(|_| Reply::status(200)).await;
    for number in 0..6 {
        let kind = format!("hang.n{number}");
        let options = ["--event-types", &kind, "--timeout", "30s", "--max-in-flight", "2"];
        app.add_webhook(&hanging.url(&format!("/{number}")), &options).await;
    }
    app.add_webhook(&healthy.url("/"), &["--event-types", "todo.*"]).await;
    let _roles = app.start().await;

    // One after the other: a batch for each.
    for number in 0..6 {
        app.publish(&event(&format!("hang.n{number}"))).await;
        hanging.receives(number + 1).await;
    }
    let events = [(); 20].map(|()| event("todo.created"));
    for event in &events {
        app.publish(event).await;
        healthy.receives_of(&event.id, 1).await;
    }
    assert_eq!(hanging.pending(), 6, "they still hang");
}
