//! Deliveries: how far one is.

use crate::{step::StepKind, words::words};

words! {
    /// How far a delivery is. It is read off the step of its latest attempt.
    State, "a delivery's state":
    /// It waits for its first attempt.
    Waiting = "waiting",
    /// It waits for its next attempt.
    Retrying = "retrying",
    /// The receiver has accepted it.
    Succeeded = "succeeded",
    /// Its last retry failed, or the receiver wants no more.
    Failed = "failed",
}

impl State {
    /// The state of a delivery whose latest attempt had this step; without one it had no attempt.
    pub fn after(last_step: Option<StepKind>) -> Self {
        match last_step {
            None => Self::Waiting,
            Some(StepKind::Retry) => Self::Retrying,
            Some(StepKind::Succeed) => Self::Succeeded,
            Some(StepKind::GiveUp | StepKind::Disable) => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_step_tells_how_far_a_delivery_is() {
        assert_eq!(State::after(None), State::Waiting);
        assert_eq!(
            StepKind::ALL.map(|step| State::after(Some(step))),
            [State::Succeeded, State::Retrying, State::Failed, State::Failed]
        );
    }
}
