//! What connections do to deliveries: nothing that costs an attempt if the receiver did not process it.

use posthorn_tests::trapped::{shown, words};

use super::{Event, Trapped, Webhook, event, eventually};

#[tokio::test]
async fn what_a_receiver_did_not_process_is_sent_again_within_its_attempt() {
    let trapped = Trapped::with(&[]).await;
    let closes = "closes-under-the-next-request";
    let webhooks = [
        trapped.app.add_webhook(trapped.traps.url(closes), &[]).await,
        trapped.add_http2("h2-refused-stream", "5s").await,
        trapped.add_http2("h2-goaway", "5s").await,
    ];
    let _roles = trapped.app.start().await;

    for count in 1..=4 {
        trapped.app.publish(&event("todo.created")).await;
        for webhook in &webhooks {
            let attempts = trapped.app.database.records_attempts(webhook, count).await;
            let seen: Vec<_> = attempts.iter().map(|attempt| (shown(attempt), attempt.attempt)).collect();
            assert_eq!(seen, vec![("accepted 200".to_owned(), 1); count], "{}", webhook.url);
        }
    }
    assert_eq!(trapped.traps.requests("h2-refused-stream"), 8, "each was refused once");
    assert!(trapped.traps.requests(closes) > 4, "a connection closed under a request");
    assert!(trapped.traps.connections("h2-goaway") > 1, "a receiver went away");
}

#[tokio::test]
async fn a_deaf_connection_costs_one_attempt() {
    let trapped = Trapped::with(&[]).await;
    let webhook = trapped.add_http2("h2-deaf", "1s").await;
    let _roles = trapped.app.start().await;

    for _ in 0..6 {
        delivered(&trapped, &webhook, &event("todo.created")).await;
    }

    let attempts = trapped.app.database.attempts(&webhook).await;
    let failed: Vec<_> = attempts.iter().map(shown).filter(|shown| shown != "accepted 200").collect();
    assert_eq!(failed, ["unreachable timeout"]);
    assert_eq!(trapped.traps.connections("h2-deaf"), 2);
}

#[tokio::test]
async fn a_receiver_that_takes_few_streams_gets_all_events() {
    let trapped = Trapped::with(&[]).await;
    let webhook = trapped.add_http2("h2-two-streams", "10s").await;
    let _roles = trapped.app.start().await;

    let events = [(); 8].map(|()| event("todo.created"));
    trapped.app.publish_all(&events).await;

    let attempts = trapped.app.database.records_attempts(&webhook, events.len()).await;
    assert!(attempts.iter().all(|attempt| shown(attempt) == "accepted 200"), "{attempts:?}");
}

#[tokio::test]
async fn frames_that_are_wrong_come_to_what_they_deserve() {
    let trapped = Trapped::with(&[super::NO_RETRY]).await;
    let mut webhooks = Vec::new();
    for (trap, outcome) in [
        ("h2-ok", "accepted 200"),
        ("h2-long-headers", "accepted 200"),
        ("h2-endless-headers", "unreachable invalid_reply"),
        ("h2-data-first", "unreachable invalid_reply"),
        ("h2-reset-after-status", "accepted 200"),
    ] {
        webhooks.push((trapped.add_http2(trap, "5s").await, outcome));
    }
    let _roles = trapped.app.start().await;

    trapped.app.publish(&event("todo.created")).await;

    for (webhook, outcome) in &webhooks {
        let attempt = trapped.app.database.records_attempts(webhook, 1).await.remove(0);
        assert_eq!(shown(&attempt), *outcome, "{}: {attempt:?}", webhook.url);
        assert_eq!(words(&attempt), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_companys_connections_are_its_own() {
    let trapped = Trapped::with(&[]).await;
    let url = trapped.traps.url("ok");
    let mut webhooks = Vec::new();
    for company in ["c1", "c2"] {
        webhooks.push((company, trapped.app.add_webhook(url, &["--companies", company]).await));
    }
    let _roles = trapped.app.start().await;

    for _ in 0..2 {
        for (company, webhook) in &webhooks {
            let event = Event { company_id: (*company).to_owned(), ..event("todo.created") };
            delivered(&trapped, webhook, &event).await;
        }
    }

    assert_eq!(trapped.traps.connections("ok"), 2);
}

#[tokio::test]
async fn a_deaf_http2_connection_of_one_company_costs_another_nothing() {
    let trapped = Trapped::with(&[]).await;
    let url = trapped.traps.url("h2-deaf");
    let add = async |company| {
        let options = ["--http2", "--timeout", "30s", "--companies", company];
        trapped.app.add_webhook(url, &options).await
    };
    let (deaf, other) = (add("c1").await, add("c2").await);
    let _roles = trapped.app.start().await;
    let of = |company: &str| Event { company_id: company.to_owned(), ..event("todo.created") };
    for _ in 0..3 {
        delivered(&trapped, &deaf, &of("c1")).await;
    }
    trapped.app.publish(&of("c1")).await;
    eventually("a request that is not answered", async || {
        (trapped.traps.requests("h2-deaf") == 4).then_some(())
    })
    .await;

    for _ in 0..3 {
        delivered(&trapped, &other, &of("c2")).await;
    }

    assert_eq!(trapped.traps.connections("h2-deaf"), 2, "one for each company");
    assert_eq!(trapped.app.database.attempts(&deaf).await.len(), 3, "the fourth still waits for its answer");
}

#[tokio::test]
async fn a_name_that_turns_to_a_forbidden_address_is_not_followed_there() {
    let trapped = Trapped::with(&[super::NO_RETRY]).await;
    let webhook = trapped.app.add_webhook(trapped.traps.url("dns-rebinding"), &[]).await;
    let _roles = trapped.app.start().await;

    for count in 1..=2 {
        trapped.app.publish(&event("todo.created")).await;
        trapped.app.database.records_attempts(&webhook, count).await;
    }

    let attempts = trapped.app.database.attempts(&webhook).await;
    let seen: Vec<_> = attempts.iter().map(shown).collect();
    assert_eq!(seen, ["accepted 200", "unreachable blocked"]);
    assert_eq!(words(&attempts[1]), Vec::<String>::new());
}

/// Publishes an event and waits until the webhook has accepted it.
async fn delivered(trapped: &Trapped, webhook: &Webhook, event: &Event) {
    trapped.app.publish(event).await;
    eventually("the event is accepted", async || {
        let attempts = trapped.app.database.attempts(webhook).await;
        let mut accepted = attempts.iter().filter(|attempt| attempt.outcome == "accepted");
        accepted.any(|attempt| attempt.event_id == event.id).then_some(())
    })
    .await;
}
