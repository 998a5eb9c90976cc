//! Retries: how many, in what order, how far apart.

use std::time::Duration;

use posthorn_tests::{App, Receiver, always, event, eventually_is, reference, statuses};

/// The schedule of [`posthorn_tests::app::SCHEDULE`].
const SCHEDULE: [u64; 5] = [300, 300, 600, 600, 900];

#[tokio::test]
async fn a_refused_delivery_is_tried_once_and_then_five_times_on_schedule() {
    let app = App::create().await;
    let receiver = Receiver::start(always(500)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    let event = event("todo.created");
    app.publish(&event).await;

    let attempts = app.database.records_attempts(&webhook, 6).await;
    let requests = receiver.requests();
    assert_eq!(requests.iter().map(|request| request.attempt()).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    for (number, pair) in requests.windows(2).enumerate() {
        let (gap, planned) = (pair[1].arrived - pair[0].arrived, Duration::from_millis(SCHEDULE[number]));
        assert!(gap >= planned * 9 / 10, "retry {} after {gap:?}, planned {planned:?}", number + 1);
    }
    for request in &requests {
        assert_eq!((request.webhook_id(), &request.body), (&*reference("c1", &event.id), &requests[0].body));
        assert!(request.is_signed_with(&webhook.secret), "{request:?}");
        let age = request.arrived_at.as_second() - request.timestamp();
        assert!((-1..=5).contains(&age), "attempt {} was signed {age} s ago", request.attempt());
    }
    assert!(requests[5].timestamp() >= requests[0].timestamp() + 2, "the schedule takes over two seconds");

    assert_eq!(attempts.iter().map(|attempt| attempt.attempt).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    let steps: Vec<_> = attempts.iter().map(|attempt| attempt.step.as_str()).collect();
    assert_eq!(steps, ["retry", "retry", "retry", "retry", "retry", "disable"]);
    assert!(attempts.iter().all(|attempt| attempt.outcome == "refused" && attempt.status == Some(500)));
    assert!(attempts.iter().all(|attempt| attempt.event_id == event.id && attempt.epoch == 1));
    let planned: Vec<_> = attempts.iter().map(|attempt| attempt.next_attempt_at.is_some()).collect();
    assert_eq!(planned, [true, true, true, true, true, false]);
}

#[tokio::test]
async fn retries_end_when_the_receiver_recovers() {
    let app = App::create().await;
    let receiver = Receiver::start(statuses([503, 500, 200])).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    let event = event("todo.created");
    app.publish(&event).await;

    let attempts = app.database.records_attempts(&webhook, 3).await;
    let course: Vec<_> =
        attempts.iter().map(|attempt| (attempt.status.unwrap(), attempt.step.as_str())).collect();
    assert_eq!(course, [(503, "retry"), (500, "retry"), (200, "succeed")]);
    assert_eq!(attempts[2].outcome, "accepted");
    assert_eq!(app.state(&webhook).await, "healthy");
    eventually_is("waiting retries", 0, async || app.retrying().await).await;
    eventually_is("waiting deliveries", Some(0), async || app.waiting(&webhook).await).await;
    assert_eq!(receiver.count(), 3);
}

#[tokio::test]
async fn a_webhook_is_failing_between_a_failed_attempt_and_the_next_accepted_one() {
    let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "2s")]).await;
    let receiver = Receiver::start(statuses([503, 200])).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;
    assert_eq!(app.state(&webhook).await, "healthy");

    app.publish(&event("todo.created")).await;

    receiver.receives(1).await;
    eventually_is("state", "failing".to_owned(), async || app.state(&webhook).await).await;
    eventually_is("state", "healthy".to_owned(), async || app.state(&webhook).await).await;
    let shown = app.webhook("show", &webhook).await;
    assert!(shown["last_failed_at"].as_str() < shown["last_accepted_at"].as_str(), "{shown}");
}

#[tokio::test]
async fn gone_disables_at_once() {
    let app = App::create().await;
    let receiver = Receiver::start(|request| {
        posthorn_tests::Reply::status(if request.path == "/gone" { 410 } else { 200 })
    })
    .await;
    let gone = app.add_webhook(&receiver.url("/gone"), &[]).await;
    app.add_webhook(&receiver.url("/other"), &[]).await;
    let _roles = app.start().await;

    app.publish(&event("todo.created")).await;
    eventually_is("state", "disabled".to_owned(), async || app.state(&gone).await).await;
    app.is_let_go(&gone).await;
    let (routed, missed) = app.misses(&gone).await;

    receiver.receives_of(&missed.id, 1).await;
    eventually_is("waiting deliveries", Some(routed.len() as u64), async || app.waiting(&gone).await).await;
    assert_eq!(receiver.to("/gone").len(), 1);
    let shown = app.webhook("show", &gone).await;
    assert_eq!(shown["disabled"]["reason"], "gone");
    assert_eq!(shown["disabled"]["outcome"]["status"], 410);
    let attempts = app.database.attempts(&gone).await;
    assert_eq!(
        (attempts.len(), attempts[0].outcome.as_str(), attempts[0].step.as_str()),
        (1, "gone", "disable")
    );
}
