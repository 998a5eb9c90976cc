//! What follows an attempt.

use crate::words::words;

/// What follows an attempt. `When` is the time of a retry: after a delay where that is decided
/// (`Step<Duration>`, [`next_step`](crate::retry::next_step)), at a time where it is recorded
/// (`Step<Timestamp>`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<When> {
    /// The delivery has succeeded.
    Succeed,
    /// Another attempt is made.
    Retry(When),
    /// The delivery has failed; the webhook's policy decides whether the webhook is disabled.
    GiveUp,
    /// The delivery has failed, and the webhook is disabled.
    Disable,
}

words! {
    /// A [`Step`] without its time: one word.
    StepKind, "a step":
    /// The delivery has succeeded.
    Succeed = "succeed",
    /// Another attempt is made.
    Retry = "retry",
    /// The delivery has failed.
    GiveUp = "give_up",
    /// The delivery has failed, and the webhook is disabled.
    Disable = "disable",
}

/// A step and a time of which one says that there is a retry and the other that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadStep {
    /// When?
    #[error("the step is `retry`, and the time of the next attempt is missing")]
    NoTime,
    /// What for?
    #[error("the step is `{0}`, and there is a time of a next attempt")]
    NoRetry(StepKind),
}

impl<When> Step<When> {
    /// The step with another notion of when.
    pub fn map<Then>(self, then: impl FnOnce(When) -> Then) -> Step<Then> {
        match self {
            Self::Succeed => Step::Succeed,
            Self::Retry(when) => Step::Retry(then(when)),
            Self::GiveUp => Step::GiveUp,
            Self::Disable => Step::Disable,
        }
    }

    /// The step in one word.
    pub fn kind(&self) -> StepKind {
        match self {
            Self::Succeed => StepKind::Succeed,
            Self::Retry(_) => StepKind::Retry,
            Self::GiveUp => StepKind::GiveUp,
            Self::Disable => StepKind::Disable,
        }
    }

    /// When the next attempt is made, if there is one.
    pub fn next_attempt(self) -> Option<When> {
        match self {
            Self::Retry(when) => Some(when),
            Self::Succeed | Self::GiveUp | Self::Disable => None,
        }
    }

    /// The step of its two parts, as messages and tables have them.
    ///
    /// # Errors
    /// If they contradict each other.
    pub fn of_parts(kind: StepKind, next_attempt: Option<When>) -> Result<Self, BadStep> {
        match (kind, next_attempt) {
            (StepKind::Retry, Some(when)) => Ok(Self::Retry(when)),
            (StepKind::Retry, None) => Err(BadStep::NoTime),
            (StepKind::Succeed, None) => Ok(Self::Succeed),
            (StepKind::GiveUp, None) => Ok(Self::GiveUp),
            (StepKind::Disable, None) => Ok(Self::Disable),
            (StepKind::Succeed | StepKind::GiveUp | StepKind::Disable, Some(_)) => {
                Err(BadStep::NoRetry(kind))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_step_make_it_again() {
        for step in [Step::Succeed, Step::Retry(7), Step::GiveUp, Step::Disable] {
            assert_eq!(Step::of_parts(step.kind(), step.next_attempt()), Ok(step));
        }
        assert_eq!(Step::<i32>::of_parts(StepKind::Retry, None), Err(BadStep::NoTime));
        assert_eq!(Step::of_parts(StepKind::GiveUp, Some(7)), Err(BadStep::NoRetry(StepKind::GiveUp)));
    }
}
