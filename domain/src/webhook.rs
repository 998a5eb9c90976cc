//! Webhooks: a URL that wants some events, its limits and its state.

use std::time::Duration;

use jiff::Timestamp;
use posthorn_matching::rule::Rule;

use crate::{
    id::WebhookId,
    keyring::{Sealed, SealedHeaders},
    tenant::Tenant,
    words::words,
};

pub mod owner;
pub mod updates;

/// A webhook as router and dispatcher know it.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where deliveries go.
    pub url: String,
    /// Which events it wants, for those who match; the dispatcher gets none.
    pub rules: Vec<Rule>,
    /// Whose it is.
    pub tenant: Tenant,
    /// Whether it gets any.
    pub state: State,
    /// Rises when it is enabled again; a retry made in an earlier epoch starts afresh.
    pub epoch: u32,
    /// The deadline of an attempt, from name lookup to the last byte of the answer.
    pub timeout: Duration,
    /// How many attempts each dispatcher makes at a time.
    pub max_in_flight: u16,
    /// What disables it.
    pub disable_policy: DisablePolicy,
    /// Whether attempts may speak HTTP/2, where the receiver offers it.
    pub http2: bool,
    /// Headers of its own for every request, for those who may open them.
    pub headers: SealedHeaders,
    /// Its secrets, for those who may open them; the router gets none.
    pub secrets: Vec<LiveSecret>,
}

/// A signing secret of a webhook, encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSecret {
    /// The secret.
    pub sealed: Sealed,
    /// Until when it signs; `None` for the current one.
    pub expires_at: Option<Timestamp>,
}

words! {
    /// Whether a webhook gets deliveries.
    State, "a webhook state":
    /// It does.
    Enabled = "enabled",
    /// A person has stopped it; its queue keeps what it holds, new events do not reach it.
    Paused = "paused",
    /// It has failed, or an operator has disabled it; else as paused.
    Disabled = "disabled",
    /// It is gone; its queue goes after a grace.
    Deleted = "deleted"
}

words! {
    /// What disables a webhook.
    DisablePolicy, "a disable policy":
    /// The first delivery whose last retry fails.
    Exhausted = "exhausted",
    /// The same, but only if nothing at all was accepted since that delivery's first attempt.
    Failing = "failing"
}

words! {
    /// Why a webhook is disabled.
    DisabledReason, "a reason":
    /// A delivery's last retry failed.
    Exhausted = "exhausted",
    /// The receiver answered 410.
    Gone = "gone",
    /// An operator said so.
    Operator = "operator"
}

words! {
    /// A webhook's state as people see it.
    Condition, "a condition":
    /// Its last attempt was accepted, or there was none yet.
    Healthy = "healthy",
    /// Its last attempt failed.
    Failing = "failing",
    /// A person has stopped it.
    Paused = "paused",
    /// It gets no deliveries until it is enabled again.
    Disabled = "disabled"
}

impl Condition {
    /// What people see, from the state and the times of the latest attempts of each kind.
    /// `None` for a deleted webhook.
    pub fn of(
        state: State,
        last_accepted: Option<Timestamp>,
        last_failed: Option<Timestamp>,
    ) -> Option<Self> {
        match state {
            State::Enabled if last_failed > last_accepted => Some(Self::Failing),
            State::Enabled => Some(Self::Healthy),
            State::Paused => Some(Self::Paused),
            State::Disabled => Some(Self::Disabled),
            State::Deleted => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_attempt_tells_healthy_from_failing() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let of = |accepted, failed| Condition::of(State::Enabled, accepted, failed);
        assert_eq!(of(None, None), Some(Condition::Healthy));
        assert_eq!(of(None, at(1)), Some(Condition::Failing));
        assert_eq!(of(at(2), at(1)), Some(Condition::Healthy));
        assert_eq!(of(at(2), at(3)), Some(Condition::Failing));
        assert_eq!(Condition::of(State::Disabled, at(2), None), Some(Condition::Disabled));
        assert_eq!(Condition::of(State::Deleted, None, None), None);
    }

    #[test]
    fn words_read_back() {
        assert_eq!("paused".parse(), Ok(State::Paused));
        assert_eq!(DisablePolicy::Failing.to_string(), "failing");
    }
}
