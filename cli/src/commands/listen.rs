//! `posthorn listen`: a local receiver that prints and verifies what it gets.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, Uri},
    routing::get,
};
use clap::Args;
use jiff::Timestamp;
use posthorn_domain::{
    event::rfc3339_millis,
    signature::{Secret, TOLERANCE_SECONDS},
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::lifecycle::Lifecycle;

const MOST_BYTES: usize = 32 << 20;
/// Milliseconds: an older event tells nothing of how fast it came, and is left out of the summary.
const OLD: f64 = 3_600_000.0;
/// How many latencies the summary is made of.
const MOST_LATENCIES: usize = 1_000_000;

/// Receive webhooks on a local address, print each and verify its signature
#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9000", value_name = "ADDR")]
    addr: SocketAddr,
    /// The webhook's secret, whsec_…; may be given several times
    #[arg(long, value_name = "SECRET", value_parser = read_secret)]
    secret: Vec<Secret>,
    /// The status to answer; several for the 1st, 2nd… attempt of a delivery, the last one repeats
    #[arg(long, default_value = "200", value_delimiter = ',', value_name = "STATUSES")]
    statuses: Vec<StatusCode>,
    /// How long to wait before the answer
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration, value_name = "TIME")]
    delay: Duration,
    /// Print only the summary at the end
    #[arg(long)]
    quiet: bool,
    /// Stop after this many requests
    #[arg(long, value_name = "N")]
    stop_after: Option<u64>,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

fn read_secret(text: &str) -> Result<Secret, String> {
    Secret::parse(text).map_err(|error| error.to_string())
}

/// What was received, as it is printed.
#[derive(Serialize)]
struct Received {
    received_at: String,
    path: String,
    /// The event's id, as the body has it.
    id: String,
    webhook_id: String,
    r#type: String,
    attempt: u32,
    /// Whether the signature is good; null if no secret was given.
    verified: Option<bool>,
    status: u16,
    latency_ms: Option<f64>,
}

/// The part of the body that is printed.
#[derive(Default, Deserialize)]
struct Body {
    #[serde(default)]
    id: String,
    #[serde(default)]
    r#type: String,
    timestamp: Option<Timestamp>,
}

#[derive(Default)]
struct Seen {
    received: u64,
    ids: HashSet<String>,
    rejected_signatures: u64,
    latencies: Vec<f64>,
}

struct Receiver {
    settings: Listen,
    seen: Mutex<Seen>,
    enough: CancellationToken,
}

impl Listen {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let listener = tokio::net::TcpListener::bind(self.addr).await;
        let listener = listener.with_context(|| format!("cannot listen on {}", self.addr))?;
        if !self.json {
            println!("listening on http://{}", listener.local_addr()?);
        }
        let mut lifecycle = Lifecycle::until_signal()?;
        let enough = CancellationToken::new();
        let receiver = Arc::new(Receiver { settings: self, seen: Mutex::default(), enough: enough.clone() });
        let app = Router::new()
            .route("/livez", get(async || "alive\n").post(receive))
            .fallback(receive)
            .layer(DefaultBodyLimit::max(MOST_BYTES))
            .with_state(receiver.clone());
        let stop = lifecycle.stop_token();
        let stopping = stop.clone();
        lifecycle.spawn(async move {
            tokio::select! {
                () = enough.cancelled() => stopping.cancel(),
                () = stopping.cancelled() => {}
            }
            Ok(())
        });
        lifecycle.spawn(async move {
            let serving =
                axum::serve(listener, app).with_graceful_shutdown(async move { stop.cancelled().await });
            serving.await.context("the listener failed")
        });
        lifecycle.finish(Duration::from_secs(5)).await?;
        receiver.print_summary();
        Ok(())
    }
}

async fn receive(
    State(receiver): State<Arc<Receiver>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let now = Timestamp::now();
    let settings = &receiver.settings;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parsed: Body = serde_json::from_slice(&body).unwrap_or_default();
    let attempt = text("posthorn-attempt").parse().unwrap_or(1);
    let position = (attempt.max(1) as usize - 1).min(settings.statuses.len() - 1);
    let status = settings.statuses[position];
    let latency = |at| now.duration_since(at).as_secs_f64() * 1000.0;
    let received = Received {
        received_at: rfc3339_millis(now),
        path: uri.path().to_owned(),
        id: parsed.id,
        webhook_id: text("webhook-id").to_owned(),
        r#type: parsed.r#type,
        attempt,
        verified: settings.verify(
            text("webhook-id"),
            text("webhook-timestamp"),
            text("webhook-signature"),
            &body,
            now,
        ),
        status: status.as_u16(),
        latency_ms: parsed.timestamp.map(latency),
    };
    tokio::time::sleep(settings.delay).await;
    receiver.take(received);
    status
}

impl Listen {
    /// Verifies as Standard Webhooks 1.0.0 asks receivers to, the tolerance included.
    fn verify(
        &self,
        id: &str,
        timestamp: &str,
        signature: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Option<bool> {
        if self.secret.is_empty() {
            return None;
        }
        let Ok(timestamp) = timestamp.parse::<i64>() else { return Some(false) };
        let fresh = (now.as_second() - timestamp).abs() <= TOLERANCE_SECONDS;
        Some(fresh && self.secret.iter().any(|secret| secret.verifies(id, timestamp, body, signature)))
    }
}

impl Receiver {
    fn take(&self, received: Received) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.received += 1;
        if received.verified == Some(false) {
            seen.rejected_signatures += 1;
        }
        if let Some(latency) =
            received.latency_ms.filter(|latency| *latency < OLD && seen.latencies.len() < MOST_LATENCIES)
        {
            seen.latencies.push(latency);
        }
        if !self.settings.quiet {
            self.print(&received);
        }
        seen.ids.insert(received.webhook_id);
        if self.settings.stop_after.is_some_and(|most| seen.received >= most) {
            self.enough.cancel();
        }
    }

    fn print(&self, received: &Received) {
        if self.settings.json {
            println!("{}", serde_json::to_string(received).expect("plain values always serialize"));
            return;
        }
        let Received { received_at, id, r#type, attempt, verified, status, .. } = received;
        let verified = match verified {
            Some(true) => ", signature good",
            Some(false) => ", SIGNATURE BAD",
            None => "",
        };
        println!("{received_at}  {type}  {id}  attempt {attempt}{verified}, answered {status}");
    }

    fn print_summary(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.latencies.sort_by(f64::total_cmp);
        let share = |part: f64| {
            let last = seen.latencies.len().checked_sub(1)?;
            Some((seen.latencies[(last as f64 * part).round() as usize] * 10.0).round() / 10.0)
        };
        let (p50, p90, p99, max) = (share(0.5), share(0.9), share(0.99), share(1.0));
        if self.settings.json {
            let summary = serde_json::json!({
                "received": seen.received,
                "distinct": seen.ids.len(),
                "rejected_signatures": seen.rejected_signatures,
                "latency_ms": {"p50": p50, "p90": p90, "p99": p99, "max": max},
            });
            return println!("{summary}");
        }
        println!(
            "received {} requests for {} events, {} with a bad signature",
            seen.received,
            seen.ids.len(),
            seen.rejected_signatures
        );
        if let (Some(p50), Some(p90), Some(p99), Some(max)) = (p50, p90, p99, max) {
            println!("from event to receipt: p50 {p50} ms, p90 {p90} ms, p99 {p99} ms, at most {max} ms");
        }
    }
}
