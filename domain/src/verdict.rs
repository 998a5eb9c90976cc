//! Why a webhook did, or did not, get an event: one word and a sentence.

use serde::Serialize;

use crate::{step::StepKind, webhook::State};

/// What became of an event for a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The receiver has accepted it.
    Succeeded,
    /// Its last retry failed, or the receiver wants no more.
    Failed,
    /// It waits for its next attempt.
    Retrying,
    /// It waits for its first attempt.
    Waiting,
    /// The webhook did not exist.
    DidNotExist,
    /// No rule matched.
    NotMatched,
    /// A rule matched, but the webhook was paused.
    Paused,
    /// A rule matched, but the webhook was disabled.
    Disabled,
    /// A rule matched by what the database has, and the router did not know of it yet.
    NotInForce,
}

/// What is known of an event and a webhook.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The webhook's state when the event came; `None` if it was not there.
    pub state_then: Option<State>,
    /// Whether one of its rules matches.
    pub is_matched: bool,
    /// Whether the event was routed to it.
    pub is_routed: bool,
    /// The step of the delivery's latest attempt.
    pub last_step: Option<StepKind>,
}

impl Verdict {
    /// What the facts say. What has happened counts more than what should have.
    pub fn of(facts: Facts) -> Self {
        match (facts.last_step, facts.is_routed, facts.state_then) {
            (Some(StepKind::Succeed), _, _) => Self::Succeeded,
            (Some(StepKind::Retry), _, _) => Self::Retrying,
            (Some(StepKind::GiveUp | StepKind::Disable), _, _) => Self::Failed,
            (None, true, _) => Self::Waiting,
            (None, false, None | Some(State::Deleted)) => Self::DidNotExist,
            (None, false, _) if !facts.is_matched => Self::NotMatched,
            (None, false, Some(State::Paused)) => Self::Paused,
            (None, false, Some(State::Disabled)) => Self::Disabled,
            (None, false, Some(State::Enabled)) => Self::NotInForce,
        }
    }

    /// The same in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Succeeded => "It was delivered: the receiver has accepted it.",
            Self::Failed => "It failed for good: see the delivery's attempts, and deliver it once more.",
            Self::Retrying => "Its last attempt failed, and another one is due.",
            Self::Waiting => "It was routed to the webhook and waits for its first attempt.",
            Self::DidNotExist => "The webhook did not exist when the event came.",
            Self::NotMatched => "No rule of the webhook matches the event: the clauses tell why.",
            Self::Paused => "A rule matches, but the webhook was paused when the event came: replay it.",
            Self::Disabled => "A rule matches, but the webhook was disabled when the event came: replay it.",
            Self::NotInForce => {
                "A rule matches, but a change of the webhook was not in force yet when the event came: replay it."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_happened_counts_more_than_what_should_have() {
        let facts =
            Facts { state_then: Some(State::Enabled), is_matched: true, is_routed: true, last_step: None };
        assert_eq!(Verdict::of(facts), Verdict::Waiting);
        assert_eq!(Verdict::of(Facts { last_step: Some(StepKind::Succeed), ..facts }), Verdict::Succeeded);
        assert_eq!(Verdict::of(Facts { last_step: Some(StepKind::Disable), ..facts }), Verdict::Failed);
        let facts = Facts { is_routed: false, ..facts };
        assert_eq!(Verdict::of(facts), Verdict::NotInForce);
        assert_eq!(Verdict::of(Facts { is_matched: false, ..facts }), Verdict::NotMatched);
        assert_eq!(Verdict::of(Facts { state_then: None, ..facts }), Verdict::DidNotExist);
        assert_eq!(Verdict::of(Facts { state_then: Some(State::Paused), ..facts }), Verdict::Paused);
        let off = Facts { state_then: Some(State::Disabled), is_matched: false, ..facts };
        assert_eq!(Verdict::of(off), Verdict::NotMatched);
    }
}
