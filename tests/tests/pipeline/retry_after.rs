//! `Retry-After`: what the receiver asks for.

use std::time::{Duration, UNIX_EPOCH};

use posthorn_tests::{App, Receiver, Reply, Request, event};

/// A script: attempt 1 gets this status with this `Retry-After`, all others 200.
fn asking(
    status: u16,
    retry_after: impl Fn(&Request) -> String + Send + Sync,
) -> impl Fn(&Request) -> Reply + Send + Sync {
    move |request| match request.attempt() {
        1 => Reply::full(status, &[("retry-after", &retry_after(request))], "later, please"),
        _ => Reply::status(200),
    }
}

#[tokio::test]
async fn seconds_are_waited_for_on_429_and_503() {
    for status in [429, 503] {
        let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "100ms,2s")]).await;
        let receiver = Receiver::start(asking(status, |_| "1".to_owned())).await;
        let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
        let _roles = app.start().await;

        app.publish(&event("todo.created")).await;

        let requests = receiver.receives(2).await;
        let gap = requests[1].arrived - requests[0].arrived;
        assert!(gap >= Duration::from_secs(1), "after {status}: {gap:?}");
        let attempts = app.database.records_attempts(&webhook, 2).await;
        assert_eq!((attempts[0].status, attempts[1].attempt), (Some(i32::from(status)), 2));
    }
}

#[tokio::test]
async fn an_http_date_is_waited_for() {
    fn asked(first: &Request) -> i64 {
        first.arrived_at.as_second() + 2
    }
    let date = |request: &Request| {
        let asked = Duration::from_secs(asked(request).try_into().unwrap());
        httpdate::fmt_http_date(UNIX_EPOCH + asked)
    };
    let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "100ms,2500ms")]).await;
    let receiver = Receiver::start(asking(503, date)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    app.publish(&event("todo.created")).await;

    let requests = receiver.receives(2).await;
    let late_by = requests[1].arrived_at.as_millisecond() - asked(&requests[0]) * 1000;
    assert!(late_by >= 0, "{} ms before the date", -late_by);
}

#[tokio::test]
async fn absurd_values_are_bounded_by_the_longest_delay() {
    for absurd in ["99999999999999999999", "31536000", "Fri, 31 Dec 9999 23:59:59 GMT", "-1", "soon", ""] {
        let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "100ms,500ms")]).await;
        let receiver = Receiver::start(asking(503, |_| absurd.to_owned())).await;
        let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
        let _roles = app.start().await;

        app.publish(&event("todo.created")).await;

        let attempts = app.database.records_attempts(&webhook, 2).await;
        let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
        assert_eq!(outcomes, ["refused", "accepted"], "{absurd}");
    }
}

#[tokio::test]
async fn it_means_nothing_on_other_statuses() {
    let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "100ms,10s")]).await;
    let receiver = Receiver::start(asking(500, |_| "9".to_owned())).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    app.publish(&event("todo.created")).await;

    let first = app.database.records_attempts(&webhook, 2).await.remove(0);
    let wait = first.next_attempt_at.unwrap().duration_since(first.started_at);
    assert!(wait.as_millis() < 9_000, "{wait:?}");
}
