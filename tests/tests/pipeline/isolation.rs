//! A webhook's trouble is its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use posthorn_tests::{
    App, Receiver, Reply, Then, always, event, eventually, eventually_is, ids, metrics, within,
};

/// Longer than all retries of the schedule together.
const OUTAGE: Duration = Duration::from_secs(4);

/// Half of the timeout of those that hang.
const BEFORE_ANY_TIMES_OUT: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_hanging_webhook_does_not_hinder_the_others() {
    let app = App::create().await;
    let hanging = Receiver::start(|_| Reply::raw("", Then::Silence)).await;
    let healthy = Receiver::start(always(200)).await;
    app.add_webhook(&hanging.url("/"), &["--max-in-flight", "4", "--timeout", "30s"]).await;
    for path in ["/a", "/b", "/c"] {
        app.add_webhook(&healthy.url(path), &[]).await;
    }
    let _roles = app.start().await;

    let events = [(); 200].map(|()| event("todo.created"));
    app.publish_all(&events).await;

    for path in ["/a", "/b", "/c"] {
        eventually_is("arrived", ids(&events), async || healthy.ids(path)).await;
    }
    eventually_is("requests that hang", 4, async || hanging.pending()).await;
    assert_eq!(hanging.count(), 4, "a webhook never has more requests than its max_in_flight");
}

#[tokio::test]
async fn hundreds_of_webhooks_that_hang_at_once_do_not_hinder_the_others() {
    let settings = [("POSTHORN_QUEUE_TYPE", "classic"), ("POSTHORN_DISPATCHER_PREFETCH", "256")];
    let app = App::with(&settings).await;
    let hanging = Receiver::start(|_| Reply::raw("", Then::Silence)).await;
    let healthy = Receiver::start(always(200)).await;
    let (url, options) = (hanging.url("/"), ["--max-in-flight", "2", "--timeout", "30s"]);
    let adding = (0..300).map(|_| app.add_webhook(&url, &options));
    assert_eq!(stream::iter(adding).buffer_unordered(8).count().await, 300);
    for path in ["/a", "/b", "/c"] {
        app.add_webhook(&healthy.url(path), &[]).await;
    }
    let _roles = app.start().await;

    let events = [(); 4].map(|()| event("todo.created"));
    app.publish_all(&events).await;
    eventually("a dispatcher's hands are full of what hangs", async || {
        (hanging.pending() > 200).then_some(())
    })
    .await;
    let more = [(); 50].map(|()| event("todo.created"));
    app.publish_all(&more).await;

    let all = ids(events.iter().chain(&more));
    for path in ["/a", "/b", "/c"] {
        let arrived = async || (healthy.ids(path) == all).then_some(());
        within(BEFORE_ANY_TIMES_OUT, "all arrive", arrived).await;
    }
}

#[tokio::test]
async fn a_refusing_webhook_does_not_hinder_the_others() {
    let app = App::create().await;
    let receiver =
        Receiver::start(|request| Reply::status(if request.path == "/bad" { 503 } else { 200 })).await;
    let bad = app.add_webhook(&receiver.url("/bad"), &[]).await;
    app.add_webhook(&receiver.url("/good"), &[]).await;
    let _roles = app.start().await;

    let events = [(); 200].map(|()| event("todo.created"));
    app.publish_all(&events).await;

    eventually_is("arrived", ids(&events), async || receiver.ids("/good")).await;
    eventually_is("state", "disabled".to_owned(), async || app.state(&bad).await).await;
    assert_eq!(receiver.to("/good").len(), events.len());
}

#[tokio::test]
async fn an_outage_that_makes_most_webhooks_unreachable_at_once_disables_none_of_them() {
    let app = App::create().await;
    let network_is_down = Arc::new(AtomicBool::new(true));
    let down = network_is_down.clone();
    let receiver = Receiver::start(move |_| match down.load(Ordering::SeqCst) {
        true => Reply::raw("", Then::Reset),
        false => Reply::status(200),
    })
    .await;
    let paths: Vec<_> = (0..12).map(|number| format!("/{number}")).collect();
    for path in &paths {
        app.add_webhook(&receiver.url(path), &[]).await;
    }
    let mut roles = app.start().await;

    let events = [(); 5].map(|()| event("todo.created"));
    app.publish_all(&events).await;
    eventually("the dispatcher notices", async || {
        let metrics = metrics::parse(&roles.dispatcher.page("/metrics").await.1);
        (metrics.get("posthorn_outage") == Some(&1.0)).then_some(())
    })
    .await;
    let began = Instant::now();
    eventually("the outage lasts", async || (began.elapsed() > OUTAGE).then_some(())).await;
    network_is_down.store(false, Ordering::SeqCst);

    for path in &paths {
        eventually_is("accepted", ids(&events), async || receiver.accepted(path)).await;
    }
    let listed = app.run(&["webhook", "list", "--json"]).await.json();
    assert!(listed.as_array().unwrap().iter().all(|webhook| webhook["state"] != "disabled"), "{listed}");
}
