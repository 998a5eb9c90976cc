//! What an attempt came to.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::retry_after;

/// What one HTTP request for a delivery came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The status was 2xx.
    Accepted {
        /// The HTTP status.
        status: u16,
    },
    /// Any other status; redirects are not followed.
    Refused {
        /// The HTTP status.
        status: u16,
        /// How long the receiver asks us to wait, on 429 and 503.
        retry_after: Option<Duration>,
    },
    /// 410: the receiver wants no more.
    Gone,
    /// There was no answer.
    Unreachable {
        /// What kind of failure it was.
        class: UnreachableClass,
        /// What went wrong, in words.
        error: String,
    },
    /// The delivery came back so often that making the attempt seems to be what fails.
    Interrupted,
}

/// How long the parts of an attempt took, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Phases {
    /// Looking up the host's name; `None` if there was no need to.
    pub dns: Option<Duration>,
    /// Connecting, with the TLS handshake; `None` on a connection that was there.
    pub connect: Option<Duration>,
    /// From then to the answer's headers, or to the end without an answer.
    pub first_byte: Duration,
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnreachableClass {
    /// The host's name has no address.
    Dns,
    /// No connection.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The deadline passed.
    Timeout,
    /// The connection broke before the answer.
    Reset,
    /// Policy forbids the address.
    Blocked,
    /// What came back is not HTTP.
    InvalidReply,
}

impl Outcome {
    /// Reads the outcome off a status line and a `Retry-After` header.
    pub fn of_status(status: u16, retry_after: Option<&str>, now: Timestamp) -> Self {
        match status {
            200..=299 => Self::Accepted { status },
            410 => Self::Gone,
            429 | 503 => {
                let retry_after = retry_after.and_then(|value| retry_after::read(value, now));
                Self::Refused { status, retry_after }
            }
            _ => Self::Refused { status, retry_after: None },
        }
    }

    /// One word for it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Refused { .. } => "refused",
            Self::Gone => "gone",
            Self::Unreachable { .. } => "unreachable",
            Self::Interrupted => "interrupted",
        }
    }

    /// Why there was no answer, if there was none: the class and the words.
    pub fn unreachable(&self) -> Option<(UnreachableClass, &str)> {
        match self {
            Self::Unreachable { class, error } => Some((*class, error)),
            Self::Accepted { .. } | Self::Refused { .. } | Self::Gone | Self::Interrupted => None,
        }
    }

    /// What a status does not say by itself: where the receiver has moved to.
    pub fn moved(status: u16, headers: &[(String, String)]) -> Option<String> {
        let location = headers.iter().find(|(name, _)| name == "location");
        let (_, location) = location.filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308))?;
        Some(format!("it redirects to {location}: redirects are not followed, the webhook needs that URL"))
    }

    /// The HTTP status, if there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Accepted { status } | Self::Refused { status, .. } => Some(*status),
            Self::Gone => Some(410),
            Self::Unreachable { .. } | Self::Interrupted => None,
        }
    }
}

impl UnreachableClass {
    /// Every class, in order.
    pub const ALL: [Self; 7] =
        [Self::Dns, Self::Connect, Self::Tls, Self::Timeout, Self::Reset, Self::Blocked, Self::InvalidReply];

    /// One word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Blocked => "blocked",
            Self::InvalidReply => "invalid_reply",
        }
    }

    /// The class with this label.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.label() == label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_tells_where_to() {
        let headers = [("location".to_owned(), "https://example.com/new".to_owned())];
        assert!(Outcome::moved(308, &headers).is_some_and(|words| words.contains("https://example.com/new")));
        assert_eq!(Outcome::moved(201, &headers), None);
        assert_eq!(Outcome::moved(308, &[]), None);
    }

    #[test]
    fn the_status_line_decides() {
        let of = |status| Outcome::of_status(status, Some("7"), Timestamp::UNIX_EPOCH);
        let refused = |status, retry_after| Outcome::Refused { status, retry_after };
        assert_eq!(of(200), Outcome::Accepted { status: 200 });
        assert_eq!(of(299), Outcome::Accepted { status: 299 });
        assert_eq!(of(301), refused(301, None));
        assert_eq!(of(410), Outcome::Gone);
        assert_eq!(of(429), refused(429, Some(Duration::from_secs(7))));
        assert_eq!(of(503), refused(503, Some(Duration::from_secs(7))));
        assert_eq!(of(500), refused(500, None));
    }
}
