//! What follows from an attempt. Nothing is done here: logs, metrics, the journal and the retry follow from
//! the [`Decision`].

use std::time::Duration;

use jiff::Timestamp;
use posthorn_domain::{
    breaker::Signal,
    outage::Reach,
    outcome::Outcome,
    retry::{RetryPolicy, next_step},
    step::Step,
};

use crate::delivery::Position;

/// What an attempt has shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence<'a> {
    pub(crate) outcome: &'a Outcome,
    pub(crate) reach: Reach,
    /// Whether the failure is put down to our own network or machine.
    pub(crate) is_ours: bool,
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) step: Step<Duration>,
    /// Where the delivery stands when it is tried again, and after which delay.
    pub(crate) retry: Option<(Duration, Position)>,
    /// What the circuit breaker learns.
    pub(crate) signal: Signal,
}

/// Decides what follows from an attempt of a delivery that stood `at`. `chance` is uniform in 0..1.
pub(crate) fn decide(evidence: Evidence<'_>, at: Position, policy: &RetryPolicy, chance: f64) -> Decision {
    let signal = signal(evidence);
    // A failure of ours uses up no attempt: it is made again under its number, soon.
    if evidence.is_ours {
        let delay = policy.shortest();
        let again = Position { forgiven: at.forgiven.saturating_add(1), ..at };
        return Decision { step: Step::Retry(delay), retry: Some((delay, again)), signal };
    }
    let step = next_step(evidence.outcome, at.attempt, policy, chance);
    let retry = match step {
        Step::Retry(delay) => {
            Some((delay, Position { attempt: at.attempt.saturating_add(1), forgiven: 0, ..at }))
        }
        Step::Succeed | Step::GiveUp | Step::Disable => None,
    };
    Decision { step, retry, signal }
}

fn signal(Evidence { outcome, reach, is_ours }: Evidence<'_>) -> Signal {
    match outcome {
        // What this machine is short of, fewer attempts leave to others.
        _ if reach == Reach::LocalFault => Signal::Unreachable,
        _ if is_ours => Signal::Nothing,
        Outcome::Accepted { .. } | Outcome::Refused { .. } | Outcome::Gone => Signal::Answered,
        Outcome::Unreachable { .. } => Signal::Unreachable,
        Outcome::Interrupted => Signal::Nothing,
    }
}

impl Decision {
    /// The step as the journal has it, `now`.
    pub(crate) fn recorded(&self, now: Timestamp) -> Step<Timestamp> {
        self.step.map(|delay| now.saturating_add(delay).unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use posthorn_domain::outcome::UnreachableClass;

    use super::*;

    const AT: Position = Position { attempt: 1, forgiven: 2, first_attempt_at: Timestamp::UNIX_EPOCH };

    fn policy() -> RetryPolicy {
        "1s,10s".parse().unwrap()
    }

    fn unreachable() -> Outcome {
        Outcome::Unreachable { class: UnreachableClass::Connect, error: String::new() }
    }

    fn decided(outcome: &Outcome, reach: Reach, is_ours: bool, at: Position) -> Decision {
        decide(Evidence { outcome, reach, is_ours }, at, &policy(), 0.5)
    }

    #[test]
    fn a_failure_of_the_receivers_uses_up_an_attempt() {
        let decision = decided(&unreachable(), Reach::Unreached, false, AT);
        let second = Duration::from_secs(1);
        assert_eq!(decision.step, Step::Retry(second));
        assert_eq!(decision.retry, Some((second, Position { attempt: 2, forgiven: 0, ..AT })));
        assert_eq!(decision.signal, Signal::Unreachable);
    }

    #[test]
    fn a_failure_of_ours_uses_up_none_even_when_it_would_be_the_last() {
        let last = Position { attempt: 3, ..AT };
        assert_eq!(decided(&unreachable(), Reach::Unreached, false, last).step, Step::GiveUp);
        let decision = decided(&unreachable(), Reach::Unreached, true, last);
        let shortest = policy().shortest();
        assert_eq!(decision.step, Step::Retry(shortest));
        assert_eq!(decision.retry, Some((shortest, Position { forgiven: 3, ..last })));
        assert_eq!(decision.signal, Signal::Nothing);
    }

    #[test]
    fn what_this_machine_is_short_of_opens_circuit_breakers() {
        assert_eq!(decided(&unreachable(), Reach::LocalFault, true, AT).signal, Signal::Unreachable);
    }

    #[test]
    fn an_interrupted_attempt_is_retried_and_tells_nothing_of_the_receiver() {
        let decision = decided(&Outcome::Interrupted, Reach::Unclear, false, AT);
        assert!(matches!(decision.step, Step::Retry(_)));
        assert_eq!(decision.signal, Signal::Nothing);
    }

    #[test]
    fn an_answer_ends_the_delivery_or_the_webhook() {
        let accepted = decided(&Outcome::Accepted { status: 204 }, Reach::Reached, false, AT);
        assert_eq!((accepted.step, accepted.retry, accepted.signal), (Step::Succeed, None, Signal::Answered));
        let gone = decided(&Outcome::Gone, Reach::Reached, false, AT);
        assert_eq!((gone.step, gone.retry, gone.signal), (Step::Disable, None, Signal::Answered));
    }

    #[test]
    fn the_journal_learns_when_the_retry_is_due() {
        let decision = decided(&unreachable(), Reach::Unreached, false, AT);
        let due = Timestamp::from_second(101).unwrap();
        assert_eq!(decision.recorded(Timestamp::from_second(100).unwrap()), Step::Retry(due));
    }
}
