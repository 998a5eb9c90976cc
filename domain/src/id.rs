//! Ids as types.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
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

#[cfg(test)]
mod tests {
    use super::*;

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
