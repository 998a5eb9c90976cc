//! A request as a receiver saw it.

use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use crate::{http::Message, signature};

/// A request as a receiver saw it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path, which tells webhooks at one receiver apart.
    pub path: String,
    /// Names in lower case, in order of appearance.
    pub headers: Vec<(String, String)>,
    /// The bytes of the body.
    pub body: Vec<u8>,
    /// The event's id as the body has it; empty if there is none.
    pub event_id: String,
    /// When it had arrived whole.
    pub arrived: Instant,
    /// The same by the wall clock.
    pub arrived_at: Timestamp,
    /// Whether the receiver has answered 2xx.
    pub accepted: bool,
}

impl Request {
    /// Notes a message that arrives now.
    pub fn now(message: Message) -> Self {
        let mut start = message.start.split(' ').map(str::to_owned);
        Self {
            method: start.next().unwrap_or_default(),
            path: start.next().unwrap_or_default(),
            headers: message.headers,
            event_id: event_id(&message.body),
            body: message.body,
            arrived: Instant::now(),
            arrived_at: Timestamp::now(),
            accepted: false,
        }
    }

    /// The value of a header that must be there.
    pub fn header(&self, name: &str) -> &str {
        let header = self.headers.iter().find(|(header, _)| header == name);
        header.map_or_else(|| panic!("no header {name} in {:?}", self.headers), |(_, value)| value)
    }

    /// The event's id.
    pub fn id(&self) -> &str {
        &self.event_id
    }

    /// `webhook-id`: the event's reference.
    pub fn webhook_id(&self) -> &str {
        self.header("webhook-id")
    }

    /// `webhook-timestamp`: when this attempt was signed, in seconds.
    pub fn timestamp(&self) -> i64 {
        self.header("webhook-timestamp").parse().expect("webhook-timestamp is a number")
    }

    /// `posthorn-attempt`, counted from 1.
    pub fn attempt(&self) -> usize {
        self.header("posthorn-attempt").parse().expect("posthorn-attempt is a number")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// The signatures in `webhook-signature`.
    pub fn signatures(&self) -> Vec<&str> {
        self.header("webhook-signature").split(' ').collect()
    }

    /// Whether one of the signatures is that of this secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let expected =
            signature::sign(secret, self.webhook_id(), self.header("webhook-timestamp"), &self.body);
        self.signatures().contains(&expected.as_str())
    }
}

fn event_id(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body["id"].as_str().unwrap_or_default().to_owned()
}
