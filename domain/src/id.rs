//! Ids as types.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The id of a webhook: `whk_` and the 32 hexadecimal digits of a UUIDv7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct WebhookId(pub Uuid);

/// A text that is no webhook id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a webhook id: they look like whk_0192f0c1d2e37a4bb5c6d7e8f9a0b1c2")]
pub struct BadWebhookId(String);

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "whk_{}", self.0.simple())
    }
}

impl FromStr for WebhookId {
    type Err = BadWebhookId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("whk_")
            .filter(|digits| digits.len() == 32)
            .and_then(|digits| Uuid::try_parse(digits).ok())
            .map(Self)
            .ok_or_else(|| BadWebhookId(text.to_owned()))
    }
}

impl From<WebhookId> for String {
    fn from(id: WebhookId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for WebhookId {
    type Error = BadWebhookId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The reference of an event: `evt_` and 32 hexadecimal digits. A producer's id is unique only within
/// its company; this names one event of all companies, and is the `webhook-id` that receivers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct EventRef(pub Uuid);

/// A text that is no event reference.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not an event reference: they look like evt_6f1d7c2b9a0e4c5d8b3f2a1e0d9c8b7a")]
pub struct BadEventRef(String);

impl EventRef {
    /// The reference of a company's event: the first 128 bits of SHA-256 over the company and the id,
    /// each behind its length in bytes (32 bits, big-endian). `event_ref` in PostgreSQL does the same.
    pub fn new(company_id: &str, event_id: &str) -> Self {
        Self(digest([company_id.as_bytes(), event_id.as_bytes()]))
    }
}

/// 128 bits of SHA-256 over parts, each behind its length: no two lists of parts are written alike.
pub(crate) fn digest<const PARTS: usize>(parts: [&[u8]; PARTS]) -> Uuid {
    let mut hasher = Sha256::new();
    for part in parts {
        // What is hashed is far smaller than 4 GiB: a message of the broker bounds it.
        hasher.update((part.len() as u32).to_be_bytes());
        hasher.update(part);
    }
    let hash: [u8; 32] = hasher.finalize().into();
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    Uuid::from_bytes(first)
}

impl fmt::Display for EventRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "evt_{}", self.0.simple())
    }
}

impl FromStr for EventRef {
    type Err = BadEventRef;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        text.strip_prefix("evt_")
            .filter(|digits| digits.len() == 32 && digits.bytes().all(is_digit))
            .and_then(|digits| Uuid::try_parse(digits).ok())
            .map(Self)
            .ok_or_else(|| BadEventRef(text.to_owned()))
    }
}

impl From<EventRef> for String {
    fn from(event: EventRef) -> Self {
        event.to_string()
    }
}

impl TryFrom<String> for EventRef {
    type Error = BadEventRef;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The id of an event as its producer gave it: unique within its company.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub String);

impl EventId {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for EventId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

/// The id of an attempt: a UUIDv7 given by the dispatcher that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(pub Uuid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reference_tells_companies_apart_and_reads_back() {
        let reference = EventRef::new("acme", "order-1");
        assert_eq!(reference, EventRef::new("acme", "order-1"));
        assert_ne!(reference, EventRef::new("other", "order-1"));
        assert_ne!(EventRef::new("ab", "c"), EventRef::new("a", "bc"));
        assert_ne!(EventRef::new("", "c"), EventRef::new("c", ""));
        // printf '\0\0\0\4acme\0\0\0\7order-1' | sha256sum
        assert_eq!(reference.to_string(), "evt_8b2e89d3b073378615dad08e763ff0eb");
        assert_eq!(reference.to_string().parse(), Ok(reference));
        let upper = reference.to_string().to_uppercase().replace("EVT_", "evt_");
        for bad in ["", "evt_", "order-1", "whk_00000000000000000000000000000000", &upper] {
            assert!(bad.parse::<EventRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_webhook_id_reads_back_what_it_writes() {
        let id = WebhookId(Uuid::from_u128(0x0192_f0c1_d2e3_7a4b_b5c6_d7e8_f9a0_b1c2));
        assert_eq!(id.to_string(), "whk_0192f0c1d2e37a4bb5c6d7e8f9a0b1c2");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in
            ["", "whk_", "0192f0c1d2e37a4bb5c6d7e8f9a0b1c2", "whk_0192f0c1-d2e3-7a4b-b5c6-d7e8f9a0b1c2"]
        {
            assert!(bad.parse::<WebhookId>().is_err(), "{bad}");
        }
    }
}
