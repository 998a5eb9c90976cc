//! Receivers that misbehave: each ends as the outcome that it deserves, within the deadline.

use std::time::Duration;

use posthorn_tests::{App, Attempt, Receiver, Reply, Request, Then, Webhook, always, event, eventually_is};

/// One attempt per delivery within the time of a test.
const NO_RETRY: (&str, &str) = ("POSTHORN_RETRY_SCHEDULE", "10m");
const DEADLINE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_receiver_that_gives_no_proper_answer_is_unreachable_in_its_own_class() {
    let app = App::with(&[NO_RETRY]).await;
    let receiver = Receiver::start(no_proper_answer).await;
    let closed_port = Receiver::start(always(200)).await.url("/");
    let mut webhooks = Vec::new();
    for (path, class) in [
        ("/reset", "reset"),
        ("/half-a-status-line-then-reset", "reset"),
        ("/silence", "timeout"),
        ("/trickling-headers", "timeout"),
        ("/no-http", "invalid_reply"),
        ("/endless-header", "invalid_reply"),
    ] {
        webhooks.push((add(&app, &receiver.url(path)).await, class));
    }
    webhooks.push((add(&app, &closed_port).await, "connect"));
    webhooks.push((add(&app, &receiver.url("/").replace("http:", "https:")).await, "tls"));
    let _roles = app.start().await;

    app.publish(&event("todo.created")).await;

    for (webhook, class) in &webhooks {
        let attempt = only_attempt(&app, webhook).await;
        assert_eq!(attempt.outcome, "unreachable", "{}: {attempt:?}", webhook.url);
        assert_eq!(attempt.unreachable_class.as_deref(), Some(*class), "{}: {attempt:?}", webhook.url);
        assert_eq!((attempt.status, attempt.step.as_str()), (None, "retry"), "{attempt:?}");
        assert!(attempt.error.as_deref().is_some_and(|error| !error.is_empty()), "{attempt:?}");
        assert_within_deadline(&attempt);
    }
    eventually_is("connections that wait", 0, async || receiver.pending()).await;
}

fn no_proper_answer(request: &Request) -> Reply {
    match request.path.as_str() {
        "/reset" => Reply::raw("", Then::Reset),
        "/half-a-status-line-then-reset" => Reply::raw("HTTP/1.1 20", Then::Reset),
        "/silence" => Reply::raw("", Then::Silence),
        "/trickling-headers" => Reply::raw("HTTP/1.1 200 OK\r\n", Then::Trickle(b"x-more: y\r\n")),
        "/no-http" => Reply::raw("220 mail.example.com ESMTP\r\n", Then::Close),
        "/endless-header" => Reply::raw("HTTP/1.1 200 OK\r\nx-long: ", Then::Flood(&[b'x'; 4096])),
        path => panic!("no script for {path}"),
    }
}

#[tokio::test]
async fn a_2xx_status_line_is_acceptance_whatever_the_body_does() {
    let app = App::with(&[NO_RETRY]).await;
    let receiver = Receiver::start(|request| match request.path.as_str() {
        "/no-body" => Reply::raw("HTTP/1.1 204 No Content\r\n\r\n", Then::KeepAlive),
        "/reset" => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc", Then::Reset),
        "/trickle" => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", Then::Trickle(b"x")),
        "/silence" => Reply::raw("HTTP/1.1 202 OK\r\ncontent-length: 10\r\n\r\n", Then::Silence),
        "/bad-chunks" => {
            Reply::raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno chunk\r\n", Then::KeepAlive)
        }
        _ => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n", Then::Flood(&[b'x'; 65536])),
    })
    .await;
    let mut webhooks = Vec::new();
    for path in ["/no-body", "/reset", "/trickle", "/silence", "/bad-chunks", "/flood"] {
        webhooks.push(add(&app, &receiver.url(path)).await);
    }
    let _roles = app.start().await;

    app.publish(&event("todo.created")).await;

    for webhook in &webhooks {
        let attempt = only_attempt(&app, webhook).await;
        let seen = (attempt.outcome.as_str(), attempt.step.as_str());
        assert_eq!(seen, ("accepted", "succeed"), "{}: {attempt:?}", webhook.url);
        assert_within_deadline(&attempt);
    }
    eventually_is("connections that wait", 0, async || receiver.pending()).await;
}

#[tokio::test]
async fn a_refusal_stays_a_refusal_whatever_the_body_does() {
    let app = App::with(&[NO_RETRY]).await;
    let receiver = Receiver::start(|request| match request.path.as_str() {
        "/trickle" => {
            Reply::raw("HTTP/1.1 500 No\r\ncontent-length: 100000\r\n\r\nbecause ", Then::Trickle(b"x"))
        }
        _ => Reply::raw("HTTP/1.1 500 No\r\n\r\nbecause ", Then::Flood(&[b'x'; 65536])),
    })
    .await;
    let mut webhooks = Vec::new();
    for path in ["/trickle", "/flood"] {
        webhooks.push(add(&app, &receiver.url(path)).await);
    }
    let _roles = app.start().await;

    app.publish(&event("todo.created")).await;

    for webhook in &webhooks {
        let attempt = only_attempt(&app, webhook).await;
        assert_eq!((attempt.outcome.as_str(), attempt.status), ("refused", Some(500)), "{attempt:?}");
        assert!(attempt.response_body.as_ref().unwrap().len() <= 4096);
        assert_within_deadline(&attempt);
    }
    eventually_is("connections that wait", 0, async || receiver.pending()).await;
}

#[tokio::test]
async fn what_is_kept_of_a_response_is_short_and_clean_text() {
    let app = App::with(&[NO_RETRY]).await;
    let receiver = Receiver::start(|request| match request.path.as_str() {
        "/dirty" => Reply::full(500, &[], b"nul \0, broken \xff, good \xe2\x98\x95"),
        "/long" => Reply::full(500, &[], "é".repeat(40_000)),
        _ => Reply::full(500, &[("content-encoding", "gzip")], "not really gzip"),
    })
    .await;
    let mut webhooks = Vec::new();
    for path in ["/dirty", "/long", "/claims-gzip"] {
        webhooks.push(add(&app, &receiver.url(path)).await);
    }
    let _roles = app.start().await;

    app.publish(&event("todo.created")).await;

    let mut bodies = Vec::new();
    for webhook in &webhooks {
        let attempt = only_attempt(&app, webhook).await;
        assert_eq!((attempt.outcome.as_str(), attempt.status), ("refused", Some(500)), "{attempt:?}");
        bodies.push(attempt.response_body.unwrap());
    }
    assert!(bodies[0].starts_with("nul ") && bodies[0].ends_with(", good ☕"), "{}", bodies[0]);
    assert!(bodies[0].contains("broken \u{fffd},") && !bodies[0].contains('\0'), "{}", bodies[0]);
    assert!((3000..=4096).contains(&bodies[1].len()) && bodies[1].starts_with("ééé"), "{}", bodies[1].len());
    assert_eq!(bodies[2], "not really gzip");
}

#[tokio::test]
async fn a_redirect_is_a_refusal_and_is_not_followed() {
    let app = App::with(&[NO_RETRY]).await;
    let target = Receiver::start(always(200)).await;
    let location = target.url("/");
    let receiver = Receiver::start(move |request| {
        let status = request.path[1..].parse().unwrap();
        Reply::full(status, &[("location", &location)], "")
    })
    .await;
    let mut webhooks = Vec::new();
    for status in [301, 302, 303, 307, 308] {
        webhooks.push((add(&app, &receiver.url(&format!("/{status}"))).await, status));
    }
    let _roles = app.start().await;

    app.publish(&event("todo.created")).await;

    for (webhook, status) in &webhooks {
        let attempt = only_attempt(&app, webhook).await;
        assert_eq!((attempt.outcome.as_str(), attempt.status), ("refused", Some(*status)), "{attempt:?}");
    }
    assert_eq!(target.connections(), 0);
}

async fn add(app: &App, url: &str) -> Webhook {
    app.add_webhook(url, &["--timeout", "1s"]).await
}

async fn only_attempt(app: &App, webhook: &Webhook) -> Attempt {
    app.database.records_attempts(webhook, 1).await.remove(0)
}

/// Some seconds are allowed for a busy machine; a receiver could hold on for ever.
fn assert_within_deadline(attempt: &Attempt) {
    let took = Duration::from_millis(attempt.duration_ms.unsigned_abs().into());
    assert!(took <= DEADLINE + Duration::from_secs(3), "{attempt:?}");
}
