//! Attempts: one signed HTTP request each.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_domain::{
    address::AddressPolicy,
    outcome::{Outcome, Phases, UnreachableClass},
    signature,
    trace_context::TraceContext,
};
use reqwest::{
    Client, Response,
    header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect,
};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout_at};

use crate::{
    failure,
    phases::{self, Measured},
    resolver::GuardedResolver,
    target::Target,
};

const USER_AGENT: &str = concat!("Posthorn/", env!("CARGO_PKG_VERSION"));
/// The most of an answer that is read: the connection is closed on longer ones.
const MOST_READ: usize = 64 << 10;
/// The most of an answer that is kept.
const MOST_KEPT: usize = 4 << 10;
/// The most of its headers that is kept: how many, and how many bytes of names and values.
const MOST_HEADERS: usize = 32;
const MOST_HEADER_BYTES: usize = 2 << 10;
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// What to send.
pub struct Request<'a> {
    /// The `webhook-id`.
    pub event_id: &'a str,
    /// What is posted.
    pub body: Bytes,
    /// Counted from 1.
    pub attempt: u32,
    /// The span that is the parent of what the receiver does.
    pub trace: Option<&'a TraceContext>,
}

/// What a request came to.
#[derive(Debug, Clone)]
pub struct Answer {
    /// In a word.
    pub outcome: Outcome,
    /// How long its parts took.
    pub phases: Phases,
    /// The answer's headers, as far as they are kept.
    pub headers: Vec<(String, String)>,
    /// The beginning of the answer as text.
    pub body: String,
}

/// The HTTP client cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot prepare the HTTP client: {0}")]
pub struct CannotPrepare(String);

/// The receivers of all webhooks, behind one pool of connections.
pub struct Receivers {
    client: Client,
}

impl Answer {
    /// No answer.
    pub fn none(outcome: Outcome) -> Self {
        Self { outcome, phases: Phases::default(), headers: Vec::new(), body: String::new() }
    }
}

impl Receivers {
    /// Prepares the client; it keeps at most `idle_connections` for each host, and asks these name
    /// servers, or the system's if none are given.
    ///
    /// # Errors
    /// If name lookup or TLS cannot be prepared.
    pub fn new(
        policy: AddressPolicy,
        name_servers: &[SocketAddr],
        idle_connections: usize,
    ) -> Result<Self, CannotPrepare> {
        let resolver = GuardedResolver::new(policy, name_servers).map_err(CannotPrepare)?;
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .dns_resolver(Arc::new(resolver))
            .connector_layer(Measured)
            .tls_backend_preconfigured(tls().map_err(|error| CannotPrepare(error.to_string()))?)
            .pool_max_idle_per_host(idle_connections)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build();
        Ok(Self { client: client.map_err(|error| CannotPrepare(error.to_string()))? })
    }

    /// Makes one request. The deadline runs from name lookup to the last byte of the answer; the
    /// status line decides, whatever the body does after it.
    pub async fn send(&self, target: &Target, request: Request<'_>) -> Answer {
        let deadline = Instant::now() + target.timeout;
        let answering = timeout_at(deadline, self.answer(target, request));
        let (answered, phases) = phases::measured(answering).await;
        let outcome = match answered {
            Ok(Ok(response)) => return Answer { phases, ..read(response, deadline).await },
            Ok(Err(outcome)) => outcome,
            Err(_) => timed_out(target.timeout),
        };
        Answer { phases, ..Answer::none(outcome) }
    }

    async fn answer(&self, target: &Target, request: Request<'_>) -> Result<Response, Outcome> {
        let blocked = |error: &posthorn_domain::address::Forbidden| Outcome::Unreachable {
            class: UnreachableClass::Blocked,
            error: error.to_string(),
        };
        let url = target.url.as_ref().map_err(blocked)?;
        let now = Timestamp::now();
        let timestamp = now.as_second();
        let signature =
            signature::header(target.live_secrets(now), request.event_id, timestamp, &request.body);
        let mut post = self
            .client
            .post(url.clone())
            .headers(target.headers.iter().cloned().collect())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
            .header("webhook-id", request.event_id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .header("posthorn-attempt", request.attempt);
        if let Some(trace) = request.trace {
            post = post.header("traceparent", trace.traceparent());
            if let Some(tracestate) = trace.tracestate() {
                post = post.header("tracestate", tracestate);
            }
        }
        post.body(request.body).send().await.map_err(failure::outcome)
    }
}

fn timed_out(timeout: Duration) -> Outcome {
    let error = format!("no answer within {} ms", timeout.as_millis());
    Outcome::Unreachable { class: UnreachableClass::Timeout, error }
}

async fn read(mut response: Response, deadline: Instant) -> Answer {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let outcome = Outcome::of_status(response.status().as_u16(), retry_after, Timestamp::now());
    let headers = kept(response.headers());
    let mut body = Vec::new();
    while body.len() < MOST_READ {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            Ok(Ok(None) | Err(_)) | Err(_) => break,
        }
    }
    Answer { headers, body: text(&body), ..Answer::none(outcome) }
}

/// As many of the headers as are kept; what is no text in them is replaced.
fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut room = MOST_HEADER_BYTES;
    let read = |(name, value): (&reqwest::header::HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let fits = |(name, value): &(String, String)| {
        let left = room.checked_sub(name.len() + value.len());
        room = left.unwrap_or_default();
        left.is_some()
    };
    headers.iter().take(MOST_HEADERS).map(read).take_while(fits).collect()
}

/// At most 4 KiB of text; what is no text is replaced.
fn text(body: &[u8]) -> String {
    let kept = &body[..body.len().min(MOST_KEPT)];
    let mut text = String::from_utf8_lossy(kept).replace('\0', "\u{fffd}");
    text.truncate(text.floor_char_boundary(MOST_KEPT));
    text
}

/// TLS with roots that come with the binary, so that images need none, and those of the system besides,
/// for private authorities.
///
/// # Errors
/// If the cryptography cannot be prepared.
pub fn tls() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_text_is_short_and_clean() {
        assert_eq!(text(b"a\0b\xffc"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(text(&[b'x'; 10_000]).len(), MOST_KEPT);
        assert!(text(&[0xff; 10_000]).len() <= MOST_KEPT);
    }
}
