//! A webhook's circuit breaker.
//!
//! It *opens* after ten attempts in a row without an answer. Then one attempt at a time probes the receiver,
//! after pauses that double up to a minute; all others wait without being counted. The first answer closes
//! it, whatever its status. One delivery, the *canary*, keeps to its retry schedule while the breaker is open,
//! so that the webhook of a dead receiver is disabled in due time.

use std::time::{Duration, Instant};

/// Attempts in a row without an answer that open the breaker.
pub const FAILURES: u32 = 10;
/// The pause before the first probe.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause before a probe.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The circuit breaker of one webhook.
#[derive(Debug, Default)]
pub struct Breaker {
    failures: u32,
    state: State,
    has_canary: bool,
}

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Attempts are made as they come.
    #[default]
    Closed,
    /// None is made before this time.
    Open {
        /// When the next probe may begin.
        until: Instant,
        /// How long the pause is.
        pause: Duration,
    },
    /// A probe runs.
    HalfOpen {
        /// How long the pause before it was.
        pause: Duration,
    },
}

/// Whether an attempt may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Freely,
    /// It may, as the probe: [`Breaker::ended`] must be called for it.
    AsProbe,
    /// Not before this time, or, without one, not before the probe has ended.
    Later(Option<Instant>),
}

/// What an attempt showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The receiver has answered.
    Answered,
    /// It has not.
    Unreachable,
    /// Nothing: no attempt was made after all, or its failure was our own.
    Nothing,
}

impl Breaker {
    /// Its state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether attempts are made as they come.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether an attempt may begin now.
    pub fn admit(&mut self, now: Instant) -> Admission {
        match self.state {
            State::Closed => Admission::Freely,
            State::Open { until, .. } if now < until => Admission::Later(Some(until)),
            State::Open { pause, .. } => {
                self.state = State::HalfOpen { pause };
                Admission::AsProbe
            }
            State::HalfOpen { .. } => Admission::Later(None),
        }
    }

    /// An attempt has ended, a probe or another.
    pub fn ended(&mut self, is_probe: bool, signal: Signal, now: Instant) {
        match (signal, self.state) {
            (Signal::Answered, _) => *self = Self::default(),
            (Signal::Unreachable, State::Closed) => {
                self.failures += 1;
                if self.failures >= FAILURES {
                    self.open(FIRST_PAUSE, now);
                }
            }
            (Signal::Unreachable, State::HalfOpen { pause }) if is_probe => {
                self.open((pause * 2).min(LONGEST_PAUSE), now);
            }
            (Signal::Nothing, State::HalfOpen { pause }) if is_probe => self.open(pause, now),
            (Signal::Unreachable | Signal::Nothing, _) => {}
        }
    }

    /// Whether a delivery that is to be tried again does so as the canary; `is_canary` if it was.
    pub fn takes_canary(&mut self, is_canary: bool) -> bool {
        let is_taken = !self.is_closed() && (is_canary || !self.has_canary);
        self.has_canary |= is_taken;
        is_taken
    }

    /// The canary has used its last retry: the next that fails is the canary.
    pub fn canary_is_over(&mut self) {
        self.has_canary = false;
    }

    fn open(&mut self, pause: Duration, now: Instant) {
        self.state = State::Open { until: now + pause, pause };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        (0..FAILURES).for_each(|_| breaker.ended(false, Signal::Unreachable, now));
        breaker
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test begins at some time")]
    fn ten_failures_in_a_row_open_it_and_one_answer_closes_it() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        (1..FAILURES).for_each(|_| breaker.ended(false, Signal::Unreachable, now));
        breaker.ended(false, Signal::Answered, now);
        (1..FAILURES).for_each(|_| breaker.ended(false, Signal::Unreachable, now));
        breaker.ended(false, Signal::Nothing, now);
        assert_eq!(breaker.admit(now), Admission::Freely, "never ten in a row");
        breaker.ended(false, Signal::Unreachable, now);
        assert_eq!(breaker.admit(now), Admission::Later(Some(now + SECOND)));
        breaker.ended(false, Signal::Answered, now);
        assert_eq!(breaker.admit(now), Admission::Freely, "one that was under way has got an answer");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test begins at some time")]
    fn one_attempt_at_a_time_probes_after_pauses_that_double_up_to_a_minute() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let pause = SECOND * seconds;
            assert_eq!(breaker.admit(now), Admission::Later(Some(now + pause)));
            now += pause;
            assert_eq!(breaker.admit(now), Admission::AsProbe);
            assert_eq!(breaker.admit(now), Admission::Later(None), "one at a time");
            breaker.ended(false, Signal::Unreachable, now);
            assert_eq!(breaker.admit(now), Admission::Later(None), "it was none of the probes");
            breaker.ended(true, Signal::Unreachable, now);
        }
        breaker.admit(now + LONGEST_PAUSE);
        breaker.ended(true, Signal::Answered, now);
        assert!(breaker.is_closed());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test begins at some time")]
    fn a_probe_that_was_not_made_leaves_the_pause_as_it_was() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.admit(now + SECOND), Admission::AsProbe);
        breaker.ended(true, Signal::Nothing, now + SECOND);
        assert_eq!(breaker.admit(now + SECOND), Admission::Later(Some(now + 2 * SECOND)));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test begins at some time")]
    fn one_delivery_at_a_time_is_the_canary() {
        let mut breaker = Breaker::default();
        assert!(!breaker.takes_canary(false), "it is closed");
        let mut breaker_open = opened(Instant::now());
        assert!(breaker_open.takes_canary(false));
        assert!(!breaker_open.takes_canary(false), "there is one");
        assert!(breaker_open.takes_canary(true), "it stays the one");
        breaker_open.canary_is_over();
        assert!(breaker_open.takes_canary(false));
    }
}
