//! What an attempt came to.

use std::time::Duration;

use jiff::Timestamp;

use crate::{retry_after, words::words};

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

words! {
    /// An [`Outcome`] in one word.
    OutcomeKind, "an outcome":
    /// The status was 2xx.
    Accepted = "accepted",
    /// Any other status.
    Refused = "refused",
    /// 410: the receiver wants no more.
    Gone = "gone",
    /// There was no answer.
    Unreachable = "unreachable",
    /// The delivery came back so often that making the attempt seems to be what fails.
    Interrupted = "interrupted",
}

words! {
    /// Why there was no answer.
    UnreachableClass, "a class of unreachable":
    /// The host's name has no address.
    Dns = "dns",
    /// No connection.
    Connect = "connect",
    /// The TLS handshake failed.
    Tls = "tls",
    /// The deadline passed.
    Timeout = "timeout",
    /// The connection broke before the answer.
    Reset = "reset",
    /// Policy forbids the address.
    Blocked = "blocked",
    /// What came back is not HTTP.
    InvalidReply = "invalid_reply",
}

/// An outcome in its parts, as messages and tables have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeParts {
    /// What it is.
    pub kind: OutcomeKind,
    /// The HTTP status, of one that was answered.
    pub status: Option<u16>,
    /// Why there was no answer, of one that was not.
    pub class: Option<UnreachableClass>,
    /// The same in words.
    pub error: Option<String>,
}

/// The parts of an outcome do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the outcome is `{kind}`, and its {missing} is missing")]
pub struct BadOutcome {
    kind: OutcomeKind,
    missing: &'static str,
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

    /// The outcome in one word.
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Accepted { .. } => OutcomeKind::Accepted,
            Self::Refused { .. } => OutcomeKind::Refused,
            Self::Gone => OutcomeKind::Gone,
            Self::Unreachable { .. } => OutcomeKind::Unreachable,
            Self::Interrupted => OutcomeKind::Interrupted,
        }
    }

    /// That word.
    pub fn label(&self) -> &'static str {
        self.kind().label()
    }

    /// The outcome of its parts. How long a receiver asked us to wait is not kept.
    ///
    /// # Errors
    /// If one is missing.
    pub fn of_parts(parts: OutcomeParts) -> Result<Self, BadOutcome> {
        let OutcomeParts { kind, status, class, error } = parts;
        let status = status.ok_or(BadOutcome { kind, missing: "status" });
        Ok(match kind {
            OutcomeKind::Accepted => Self::Accepted { status: status? },
            OutcomeKind::Refused => Self::Refused { status: status?, retry_after: None },
            OutcomeKind::Gone => Self::Gone,
            OutcomeKind::Interrupted => Self::Interrupted,
            OutcomeKind::Unreachable => Self::Unreachable {
                class: class.ok_or(BadOutcome { kind, missing: "class" })?,
                error: error.unwrap_or_default(),
            },
        })
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
    fn the_parts_of_an_outcome_make_it_again() {
        let timeout = UnreachableClass::Timeout;
        for outcome in [
            Outcome::Accepted { status: 204 },
            Outcome::Refused { status: 503, retry_after: None },
            Outcome::Gone,
            Outcome::Unreachable { class: timeout, error: "no answer within 15 s".to_owned() },
            Outcome::Interrupted,
        ] {
            let (class, error) =
                outcome.unreachable().map(|(class, error)| (class, error.to_owned())).unzip();
            let parts = OutcomeParts { kind: outcome.kind(), status: outcome.status(), class, error };
            assert_eq!(Outcome::of_parts(parts), Ok(outcome));
        }
        let parts = OutcomeParts { kind: OutcomeKind::Unreachable, status: None, class: None, error: None };
        assert_eq!(
            Outcome::of_parts(parts).unwrap_err().to_string(),
            "the outcome is `unreachable`, and its class is missing"
        );
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
