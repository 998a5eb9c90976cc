//! An installation whose webhooks lead into traps: receivers that misbehave.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use posthorn_traps::{Settings, Traps};

use crate::{App, Attempt, Webhook};

/// An installation and the traps beside it. It trusts their authority, and asks their name server.
pub struct Trapped {
    /// The installation.
    pub app: App,
    /// The traps.
    pub traps: Traps,
}

/// What is expected of the only attempt of a webhook that leads into a trap.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// The trap's name.
    pub trap: &'static str,
    /// The webhook's time-out in seconds.
    pub timeout: u64,
    /// Such as `accepted 200` or `unreachable timeout`; alternatives are joined by ` or `.
    pub outcome: &'static str,
}

/// For a busy machine. A receiver could hold on for ever.
const SLACK: Duration = Duration::from_secs(3);
/// The longest words about an attempt that failed, in bytes.
const LONGEST_WORDS: usize = 1 << 10;
/// What only its authors understand: names and phrases of libraries, and where they keep their manuals.
const NO_WORDS: [&str; 16] = [
    "hyper",
    "rustls",
    "reqwest",
    "h2",
    "hickory",
    "tokio",
    "webpki",
    "os error",
    "::",
    "Some(",
    "proto error",
    "stream error",
    "://",
    "DnsName",
    "127.0.0.",
    "error trying",
];

impl Trapped {
    /// An installation with these settings, and no role running.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let traps = Traps::start(Settings::default()).await.expect("ports of loopback are free");
        let mut app = App::with(settings).await;
        let authority = app.file("traps.pem", traps.authority());
        app.settings.insert("SSL_CERT_FILE".to_owned(), authority);
        app.settings.insert("POSTHORN_NAME_SERVERS".to_owned(), traps.name_server().to_string());
        Self { app, traps }
    }

    /// Adds a webhook for all events of types `todo.*` that leads into each of these traps.
    pub async fn add_all(&self, all: &[Expected]) -> Vec<(Webhook, Expected)> {
        let adding = all.iter().map(async |expected| {
            let timeout = format!("{}s", expected.timeout);
            let options = ["--event-types", "todo.*", "--timeout", &timeout];
            (self.app.add_webhook(self.traps.url(expected.trap), &options).await, *expected)
        });
        stream::iter(adding).buffer_unordered(4).collect().await
    }

    /// Adds a webhook that may speak HTTP/2 and leads into this trap.
    pub async fn add_http2(&self, trap: &str, timeout: &str) -> Webhook {
        self.app.add_webhook(self.traps.url(trap), &["--http2", "--timeout", timeout]).await
    }

    /// Waits for the only attempt of each, and tells which of them did not come to what was expected.
    pub async fn wrong(&self, webhooks: &[(Webhook, Expected)]) -> Vec<String> {
        let mut wrong = Vec::new();
        for (webhook, expected) in webhooks {
            let attempts = self.app.database.records_attempts(webhook, 1).await;
            wrong.extend(
                expected.faults(&attempts).into_iter().map(|fault| format!("{}: {fault}", expected.trap)),
            );
        }
        wrong
    }
}

impl Expected {
    /// A webhook with a time-out of a second.
    pub const fn of(trap: &'static str, outcome: &'static str) -> Self {
        Self { trap, timeout: 1, outcome }
    }

    /// The same with another time-out.
    pub const fn within(self, timeout: u64) -> Self {
        Self { timeout, ..self }
    }

    fn faults(&self, attempts: &[Attempt]) -> Vec<String> {
        let [attempt] = attempts else { return vec![format!("{} attempts: {attempts:?}", attempts.len())] };
        let mut faults = words(attempt);
        let outcome = shown(attempt);
        if !self.outcome.split(" or ").any(|expected| expected == outcome) {
            faults.push(format!("{outcome} instead of {}: {attempt:?}", self.outcome));
        }
        let took = Duration::from_millis(attempt.duration_ms.unsigned_abs().into());
        if took > Duration::from_secs(self.timeout) + SLACK {
            faults.push(format!("took {took:?}"));
        }
        faults
    }
}

/// An attempt's outcome with its status or class.
pub fn shown(attempt: &Attempt) -> String {
    match (&attempt.unreachable_class, attempt.status) {
        (Some(class), _) => format!("{} {class}", attempt.outcome),
        (None, Some(status)) => format!("{} {status}", attempt.outcome),
        (None, None) => attempt.outcome.clone(),
    }
}

/// What is wrong with the words about an attempt: they are for people, and short.
pub fn words(attempt: &Attempt) -> Vec<String> {
    let Some(error) = &attempt.error else { return Vec::new() };
    let mut faults: Vec<_> = NO_WORDS
        .iter()
        .filter(|word| error.contains(**word))
        .map(|word| format!("`{word}` in the words: {error:.300}"))
        .collect();
    if error.is_empty() || error.len() > LONGEST_WORDS {
        faults.push(format!("{} bytes of words", error.len()));
    }
    faults
}
