//! A webhook's trouble is its own, and a company's is.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use posthorn_tests::{
    App, Event, Process, Receiver, Reply, Request, Then, always, event, eventually, eventually_is, ids,
    metrics, within,
};
use serde_json::json;

/// Half of the timeout of those that hang.
const BEFORE_ANY_TIMES_OUT: Duration = Duration::from_secs(15);

/// Far longer than a delivery takes that nothing hinders, far shorter than any time-out.
const PROMPT: Duration = Duration::from_secs(5);

fn silent(_: &Request) -> Reply {
    Reply::raw("", Then::Silence)
}

fn closes(_: &Request) -> Reply {
    Reply::raw("", Then::Close)
}

/// An event of this company.
fn event_of(company: &str) -> Event {
    Event { company_id: company.to_owned(), ..event("todo.created") }
}

async fn metric(process: &mut Process, name: &str) -> f64 {
    let page = process.page("/metrics").await.1;
    metrics::parse(&page).get(name).copied().unwrap_or_default()
}

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
async fn a_company_whose_webhooks_all_hang_pauses_nobody() {
    let app = App::with(&[("POSTHORN_ALLOW_NETWORKS", "127.0.0.0/8")]).await;
    let mut hanging = Vec::new();
    for number in 2..14 {
        let receiver = Receiver::at(&format!("127.0.0.{number}:0"), silent).await;
        // Half of them do not get beyond the TLS handshake.
        let url = match number % 2 {
            0 => receiver.url("/"),
            _ => receiver.url("/").replace("http:", "https:"),
        };
        app.add_webhook(&url, &["--companies", "noisy", "--timeout", "8s", "--max-in-flight", "4"]).await;
        hanging.push(receiver);
    }
    let healthy = Receiver::start(always(200)).await;
    let paths = ["/1", "/2", "/3", "/4", "/5", "/6"];
    for path in paths {
        app.add_webhook(&healthy.url(path), &["--companies", "quiet"]).await;
    }
    let mut roles = app.start().await;

    app.publish_all(&[(); 40].map(|()| event_of("noisy"))).await;
    eventually("all of them have timed out", async || {
        (metric(&mut roles.dispatcher, "posthorn_attempts_total").await >= 48.0).then_some(())
    })
    .await;
    // Quiet traffic: nothing but these tells that the network works.
    for number in 1..=34 {
        let event = event_of("quiet");
        app.publish(&event).await;
        let arrived = async || (healthy.of(&event.id).len() == paths.len()).then_some(());
        within(PROMPT, &format!("event {number} arrives"), arrived).await;
    }
    assert_eq!(healthy.count(), 34 * paths.len());
    assert_eq!(metric(&mut roles.dispatcher, "posthorn_outage").await, 0.0);
}

#[tokio::test]
async fn a_company_that_hangs_leaves_attempts_for_the_others_and_for_its_own_other_webhooks() {
    let app = App::with(&[("POSTHORN_MAX_IN_FLIGHT", "200")]).await;
    let hanging = Receiver::start(silent).await;
    let healthy = Receiver::start(always(200)).await;
    for path in ["/a", "/b"] {
        let options =
            ["--companies", "noisy", "--timeout", "30s", "--max-in-flight", "100", "--event-types", "hang.*"];
        app.add_webhook(&hanging.url(path), &options).await;
    }
    app.add_webhook(&healthy.url("/noisy"), &["--companies", "noisy", "--event-types", "todo.*"]).await;
    for path in ["/1", "/2", "/3"] {
        app.add_webhook(&healthy.url(path), &["--companies", "quiet"]).await;
    }
    let mut roles = app.start().await;

    let hang = [(); 300].map(|()| Event { r#type: "hang.on".to_owned(), ..event_of("noisy") });
    app.publish_all(&hang).await;
    eventually("their share is taken", async || {
        let waiting = metric(&mut roles.dispatcher, "posthorn_attempts_waiting").await;
        (hanging.pending() >= 60 && waiting > 0.0).then_some(())
    })
    .await;
    let events = [(); 50].map(|()| event_of("quiet"));
    let own = [(); 50].map(|()| event_of("noisy"));
    app.publish_all(&events).await;
    app.publish_all(&own).await;

    for path in ["/1", "/2", "/3"] {
        within(PROMPT, path, async || (healthy.ids(path) == ids(&events)).then_some(())).await;
    }
    within(PROMPT, "the rest of the same company", async || {
        (healthy.ids("/noisy") == ids(&own)).then_some(())
    })
    .await;
    assert!(hanging.pending() <= 100, "half of all attempts: {}", hanging.pending());
}

#[tokio::test]
async fn a_receiving_host_that_hangs_leaves_attempts_for_the_others_whosever_its_webhooks_are() {
    let settings = [("POSTHORN_MAX_IN_FLIGHT", "40"), ("POSTHORN_ALLOW_NETWORKS", "127.0.0.0/8")];
    let app = App::with(&settings).await;
    let hanging = Receiver::at("127.0.0.2:0", silent).await;
    let healthy = Receiver::at("127.0.0.3:0", always(200)).await;
    for number in 0..10 {
        let company = format!("c{number}");
        app.add_webhook(&hanging.url("/"), &["--companies", &company, "--timeout", "30s"]).await;
    }
    app.add_webhook(&healthy.url("/"), &["--companies", "quiet"]).await;
    let _roles = app.start().await;

    let hang: Vec<_> = (0..100).map(|number| event_of(&format!("c{}", number % 10))).collect();
    app.publish_all(&hang).await;
    eventually("its share is taken", async || (hanging.pending() >= 20).then_some(())).await;
    let events = [(); 50].map(|()| event_of("quiet"));
    app.publish_all(&events).await;
    within(PROMPT, "they arrive", async || (healthy.ids("/") == ids(&events)).then_some(())).await;
    assert_eq!(hanging.pending(), 20, "half of all attempts");
}

#[tokio::test]
async fn behind_an_open_circuit_breaker_one_attempt_at_a_time_probes_and_the_rest_uses_up_none() {
    let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "2s,30s")]).await;
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_broken = broken.clone();
    let receiver =
        Receiver::start(move |request| match is_broken.load(std::sync::atomic::Ordering::SeqCst) {
            true => closes(request),
            false => Reply::status(200),
        })
        .await;
    let webhook = app.add_webhook(&receiver.url("/"), &["--max-in-flight", "4"]).await;
    let mut roles = app.start().await;

    let events = [(); 60].map(|()| event("todo.created"));
    app.publish_all(&events).await;
    eventually("the breaker opens", async || {
        (metric(&mut roles.dispatcher, "posthorn_circuit_breakers").await == 1.0).then_some(())
    })
    .await;
    let opened_at = receiver.count();
    receiver.receives(opened_at + 2).await;
    eventually("the others wait in the queue", async || {
        (app.waiting(&webhook).await >= Some(30)).then_some(())
    })
    .await;
    assert!(receiver.count() < 25, "{} attempts although nobody answers", receiver.count());
    let tried: Vec<_> = receiver.requests().iter().map(|request| request.id().to_owned()).collect();
    broken.store(false, std::sync::atomic::Ordering::SeqCst);

    eventually_is("accepted", ids(&events), async || receiver.accepted("/")).await;
    let accepted = receiver.requests().into_iter().filter(|request| request.accepted);
    let untried = accepted.filter(|request| !tried.iter().any(|id| id == request.id()));
    assert!(untried.into_iter().all(|request| request.attempt() == 1), "waiting used up attempts");
    eventually("the breaker closes", async || {
        (metric(&mut roles.dispatcher, "posthorn_circuit_breakers").await == 0.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_dead_receiver_is_disabled_in_due_time_however_much_waits_for_it() {
    let app = App::create().await;
    let receiver = Receiver::start(closes).await;
    let webhook = app.add_webhook(&receiver.url("/"), &["--max-in-flight", "2"]).await;
    let _roles = app.start().await;

    app.publish_all(&[(); 500].map(|()| event("todo.created"))).await;
    within(Duration::from_secs(20), "it is disabled", async || {
        (app.state(&webhook).await == "disabled").then_some(())
    })
    .await;
    let shown = app.webhook("show", &webhook).await;
    assert_eq!(shown["disabled"]["reason"], json!("exhausted"), "{shown}");
    assert!(receiver.count() < 100, "{} attempts", receiver.count());
}
