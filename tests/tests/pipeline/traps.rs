//! Receivers that misbehave: each comes to what it deserves, within its deadline, in plain words, and at
//! nobody else's cost.

use std::time::Duration;

use posthorn_tests::{Data, Event, Expected, Receiver, Trapped, Webhook, always, event, eventually, within};

mod connections;

/// One attempt for each delivery within the time of a test.
const NO_RETRY: (&str, &str) = ("POSTHORN_RETRY_SCHEDULE", "10m");
/// A neighbour gets its events in far less.
const PROMPT: Duration = Duration::from_secs(3);

const HTTP_1: [Expected; 58] = [
    Expected::of("ok", "accepted 200"),
    Expected::of("slow", "accepted 200").within(10),
    // Silence and broken connections.
    Expected::of("silent-after-accept", "unreachable timeout"),
    Expected::of("never-reads-the-body", "unreachable timeout"),
    Expected::of("silent-after-request", "unreachable timeout"),
    Expected::of("ends-without-a-byte", "unreachable reset"),
    Expected::of("reset-before-status", "unreachable reset"),
    Expected::of("reset-in-status", "unreachable reset"),
    Expected::of("reset-after-status", "unreachable reset or accepted 200"),
    Expected::of("reset-after-head", "accepted 200"),
    Expected::of("reset-in-body", "accepted 200"),
    Expected::of("413-before-body", "refused 413"),
    Expected::of("200-before-body", "accepted 200"),
    Expected::of("closes-under-the-next-request", "accepted 200"),
    // A byte at a time.
    Expected::of("drip-status-200", "unreachable timeout"),
    Expected::of("drip-status-500", "unreachable timeout"),
    Expected::of("drip-header-200", "unreachable timeout"),
    Expected::of("drip-header-500", "unreachable timeout"),
    Expected::of("drip-body-200", "accepted 200"),
    Expected::of("drip-body-500", "refused 500"),
    // Too much.
    Expected::of("endless-header", "unreachable invalid_reply"),
    Expected::of("endless-headers", "unreachable invalid_reply"),
    Expected::of("body-of-5-mb", "accepted 200"),
    Expected::of("endless-body", "accepted 200"),
    Expected::of("one-byte-chunks", "accepted 200"),
    Expected::of("endless-chunk-extension", "accepted 200"),
    Expected::of("endless-trailers", "accepted 200"),
    Expected::of("gzip-bomb", "accepted 200"),
    Expected::of("endless-100-continue", "unreachable invalid_reply"),
    Expected::of("200-early-hints", "unreachable invalid_reply or accepted 200"),
    Expected::of("switching-protocols", "unreachable invalid_reply or refused 101"),
    // Odd bytes.
    Expected::of("control-in-header", "accepted 200"),
    Expected::of("blank-before-colon", "accepted 200"),
    Expected::of("blank-in-name", "accepted 200"),
    Expected::of("folded-line", "accepted 200"),
    Expected::of("no-colon", "accepted 200"),
    Expected::of("150-headers", "accepted 200"),
    Expected::of("empty-length", "accepted 200"),
    Expected::of("latin-1-header", "accepted 200"),
    Expected::of("no-reason", "accepted 200"),
    Expected::of("bare-lf", "accepted 200"),
    Expected::of("http-1.0", "accepted 200"),
    Expected::of("no-length", "accepted 200"),
    Expected::of("204-with-body", "accepted 204"),
    Expected::of("interim-then-200", "accepted 200"),
    Expected::of("broken-chunk", "accepted 200"),
    Expected::of("two-lengths", "unreachable invalid_reply or accepted 200"),
    Expected::of("status-600", "refused 600"),
    Expected::of("status-letters", "unreachable invalid_reply"),
    Expected::of("smtp", "unreachable invalid_reply"),
    Expected::of("http-0.9", "unreachable invalid_reply"),
    Expected::of("redirect", "refused 307"),
    Expected::of("long-location", "refused 301"),
    Expected::of("gone", "gone 410"),
    Expected::of("retry-after-date", "refused 503"),
    Expected::of("retry-after-junk", "refused 429"),
    Expected::of("extra-answer", "accepted 200"),
    Expected::of("nul-in-header", "accepted 200"),
];

const TLS: [Expected; 13] = [
    Expected::of("tls-ok", "accepted 200"),
    Expected::of("tls-expired", "unreachable tls"),
    Expected::of("tls-other-host", "unreachable tls"),
    Expected::of("tls-self-signed", "unreachable tls"),
    Expected::of("tls-900-names", "unreachable tls"),
    Expected::of("tls-asks-for-certificate", "accepted 200"),
    Expected::of("tls-demands-certificate", "unreachable tls"),
    Expected::of("tls-no-close-notify", "accepted 200"),
    Expected::of("tls-1.1-only", "unreachable tls"),
    Expected::of("tls-1.1-alert", "unreachable tls"),
    Expected::of("tls-plain-text", "unreachable tls"),
    Expected::of("tls-stalls", "unreachable timeout"),
    Expected::of("tls-drip", "unreachable timeout"),
];

/// HTTP/1.1 is spoken unless a webhook asks for more.
const HTTP_2_UNASKED: [Expected; 4] = [
    Expected::of("h2-ok", "accepted 200"),
    Expected::of("h2-refused-stream", "accepted 200"),
    Expected::of("h2-goaway", "accepted 200"),
    Expected::of("h2-data-first", "accepted 200"),
];

const NAMES: [Expected; 11] = [
    Expected::of("dns-silent", "unreachable dns").within(10),
    Expected::of("dns-nxdomain", "unreachable dns").within(10),
    Expected::of("dns-servfail", "unreachable dns").within(10),
    Expected::of("dns-garbage", "unreachable dns").within(10),
    Expected::of("dns-no-address", "unreachable dns").within(10),
    Expected::of("dns-circle", "unreachable dns").within(10),
    Expected::of("dns-mixed", "accepted 200").within(10),
    Expected::of("dns-rebinding", "accepted 200").within(10),
    Expected::of("dns-17-addresses", "accepted 200").within(10),
    Expected::of("dns-localhost", "accepted 200").within(10),
    Expected::of("dns-truncated", "accepted 200").within(10),
];

#[tokio::test]
async fn whatever_a_receiver_answers_over_http_1_comes_to_what_it_deserves() {
    expect(&[&HTTP_1]).await;
}

#[tokio::test]
async fn whatever_a_receiver_does_before_http_comes_to_what_it_deserves() {
    expect(&[&TLS, &HTTP_2_UNASKED, &NAMES]).await;
}

/// A body that fits into no buffer on the way: a receiver that has made up its mind does not wait for it.
#[tokio::test]
async fn an_answer_that_comes_before_a_long_body_is_read_counts() {
    let trapped = Trapped::with(&[NO_RETRY]).await;
    let webhooks = trapped
        .add_all(&[
            Expected::of("413-before-body", "refused 413"),
            Expected::of("200-before-body", "accepted 200"),
            Expected::of("never-reads-the-body", "unreachable timeout"),
        ])
        .await;
    let _roles = trapped.app.start().await;

    let data = format!(r#"{{"text":"{}"}}"#, "x".repeat(1_000_000)).into();
    trapped.app.publish(&Event { data: Some(Data::Json(data)), ..event("todo.created") }).await;

    let wrong = trapped.wrong(&webhooks).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One event to all traps; meanwhile others to a neighbour of theirs.
async fn expect(expected: &[&[Expected]]) {
    let trapped = Trapped::with(&[NO_RETRY, ("POSTHORN_QUEUE_TYPE", "classic")]).await;
    let webhooks = trapped.add_all(&expected.concat()).await;
    let neighbour = Receiver::start(always(200)).await;
    trapped.app.add_webhook(&neighbour.url("/"), &["--event-types", "tick.*"]).await;
    let _roles = trapped.app.start().await;

    trapped.app.publish(&event("todo.created")).await;
    for _ in 0..10 {
        let tick = event("tick.tock");
        trapped.app.publish(&tick).await;
        let arrived = async || (!neighbour.of(&tick.id).is_empty()).then_some(());
        within(PROMPT, "a neighbour gets its event", arrived).await;
    }

    let wrong = trapped.wrong(&webhooks).await;
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), webhooks.len(), wrong.join("\n"));
}
