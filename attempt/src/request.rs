//! The request of an attempt, as HTTP/1.1 and as HTTP/2 write it.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Version, header::CONTENT_LENGTH};
use jiff::Timestamp;
use posthorn_domain::{id::EventRef, signature, trace_context::TraceContext};

use crate::target::{Endpoint, Target};

const USER_AGENT: &str = concat!("Posthorn/", env!("CARGO_PKG_VERSION"));

/// What to send.
pub struct Request<'a> {
    /// The event: its reference is the `webhook-id`.
    pub event: EventRef,
    /// What is posted.
    pub body: Bytes,
    /// Counted from 1.
    pub attempt: u32,
    /// The span that is the parent of what the receiver does.
    pub trace: Option<&'a TraceContext>,
}

/// A request with its signature: the same however often it is sent within an attempt.
pub(crate) struct Signed<'a> {
    target: &'a Target,
    endpoint: &'a Endpoint,
    request: &'a Request<'a>,
    webhook_id: String,
    timestamp: String,
    attempt: String,
    signature: String,
}

impl<'a> Signed<'a> {
    pub(crate) fn new(target: &'a Target, endpoint: &'a Endpoint, request: &'a Request<'a>) -> Self {
        let now = Timestamp::now();
        let timestamp = now.as_second();
        let secrets = target.live_secrets(now);
        let webhook_id = request.event.to_string();
        Self {
            target,
            endpoint,
            request,
            timestamp: timestamp.to_string(),
            attempt: request.attempt.to_string(),
            signature: signature::header(secrets, &webhook_id, timestamp, &request.body),
            webhook_id,
        }
    }

    pub(crate) fn body(&self) -> Bytes {
        self.request.body.clone()
    }

    /// The head of an HTTP/1.1 request.
    pub(crate) fn http1(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(1 << 10);
        let mut line = |parts: [&str; 3]| {
            // A value that holds a line end would begin a header of its own.
            parts.iter().for_each(|part| head.extend(part.bytes().filter(|byte| !byte.is_ascii_control())));
            head.extend_from_slice(b"\r\n");
        };
        line(["POST ", &self.endpoint.path, " HTTP/1.1"]);
        line(["host", ": ", &self.endpoint.authority]);
        self.each_header(|name, value| line([name, ": ", value]));
        line(["content-length", ": ", &self.request.body.len().to_string()]);
        head.extend_from_slice(b"\r\n");
        head
    }

    /// The head of an HTTP/2 request; `None` if its URL cannot be one.
    pub(crate) fn http2(&self) -> Option<http::Request<()>> {
        let Endpoint { authority, path, .. } = self.endpoint;
        let mut request = http::Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = format!("https://{authority}{path}").parse().ok()?;
        let headers = request.headers_mut();
        self.each_header(|name, value| {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        });
        headers.insert(CONTENT_LENGTH, self.request.body.len().into());
        Some(request)
    }

    fn each_header(&self, mut add: impl FnMut(&str, &str)) {
        let ours = [
            ("user-agent", USER_AGENT),
            ("content-type", "application/json"),
            ("accept-encoding", "identity"),
            ("webhook-id", &self.webhook_id),
            ("webhook-timestamp", &self.timestamp),
            ("webhook-signature", &self.signature),
            ("posthorn-attempt", &self.attempt),
        ];
        ours.into_iter().for_each(|(name, value)| add(name, value));
        if let Some(trace) = self.request.trace {
            add("traceparent", trace.traceparent());
            trace.tracestate().into_iter().for_each(|tracestate| add("tracestate", tracestate));
        }
        let own = &self.target.headers;
        if !own.iter().any(|(name, _)| &**name == "accept") {
            add("accept", "*/*");
        }
        own.iter().for_each(|(name, value)| add(name, value));
    }
}
