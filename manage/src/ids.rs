//! Ids as people write them. One that is none is the id of nothing: 404.

use std::{fmt, str::FromStr};

use posthorn_domain::id::WebhookId;
use serde::Deserialize;
use uuid::Uuid;

use crate::error::Error;

/// Reads a webhook's id.
pub(crate) fn webhook(text: &str) -> Result<WebhookId, Error> {
    text.parse().map_err(|_| Error::not_found("webhook"))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal;)+) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        #[serde(try_from = "String")]
        pub(crate) struct $name(pub(crate) Uuid);

        impl $name {
            /// Reads one.
            pub(crate) fn read(text: &str) -> Result<Self, Error> {
                text.parse().map_err(|()| Error::not_found($what))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                let digits = text.strip_prefix($prefix).filter(|digits| digits.len() == 32);
                digits.and_then(|digits| Uuid::try_parse(digits).ok()).map(Self).ok_or(())
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse().map_err(|()| format!("`{text}` is not the id of a {}", $what))
            }
        })+
    };
}

ids! {
    /// The id of a token.
    TokenId, "tok_", "token";
    /// The id of a replay.
    ReplayId, "rpl_", "replay";
    /// The id of a rejected event.
    RejectedId, "rej_", "rejected event";
}
