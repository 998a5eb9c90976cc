//! Retry decisions: what becomes of a delivery after an attempt.
//!
//! [`next_step`] turns an outcome into a step and has no other effect: no clock, no database, no
//! queue; chance comes in as a number. Every delay it answers is one of
//! [`RetryPolicy::queue_delays`], since each delay is a queue of the broker's.

use std::{fmt, str::FromStr, time::Duration};

use crate::{outcome::Outcome, step::Step};

/// The retry schedule: how long to wait before each retry. Its length is the number of retries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    delays: Vec<Duration>,
}

/// A text that is no retry schedule.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadSchedule {
    /// Wrong number of delays.
    #[error("a retry schedule has 1 to 10 delays, not {0}")]
    Length(usize),
    /// Not a duration.
    #[error("`{0}` is not a delay between 10ms and 30d, such as 5s or 30m")]
    Delay(String),
}

/// Tenths of a delay that its variants last: a burst of failures doesn't come back as one.
const JITTER_TENTHS: [u32; 3] = [9, 10, 11];

/// Decides what becomes of a delivery after attempt number `attempt`, counted from 1. `chance` is
/// uniform in 0..1 and picks among the variants of a delay.
pub fn next_step(outcome: &Outcome, attempt: u32, policy: &RetryPolicy, chance: f64) -> Step<Duration> {
    let asked = match outcome {
        Outcome::Accepted { .. } => return Step::Succeed,
        Outcome::Gone => return Step::Disable,
        Outcome::Refused { retry_after, .. } => retry_after.unwrap_or_default(),
        Outcome::Unreachable { .. } | Outcome::Interrupted => Duration::ZERO,
    };
    match policy.delay_after(attempt, chance) {
        None => Step::GiveUp,
        Some(planned) if planned >= asked => Step::Retry(planned),
        Some(_) => Step::Retry(policy.first_of_at_least(asked)),
    }
}

impl RetryPolicy {
    /// A schedule of one to ten delays.
    ///
    /// # Errors
    /// If there are none or more than ten.
    pub fn new(delays: Vec<Duration>) -> Result<Self, BadSchedule> {
        match delays.len() {
            1..=10 => Ok(Self { delays }),
            length => Err(BadSchedule::Length(length)),
        }
    }

    /// Every delay that a step may ask for, in rising order: the variants of each planned one.
    pub fn queue_delays(&self) -> Vec<Duration> {
        let variants = |delay: &Duration| JITTER_TENTHS.map(|tenths| variant(*delay, tenths));
        let mut delays: Vec<_> = self.delays.iter().flat_map(variants).collect();
        delays.sort_unstable();
        delays.dedup();
        delays
    }

    /// How many retries a delivery has.
    pub fn retries(&self) -> usize {
        self.delays.len()
    }

    /// The shortest delay that an attempt can wait without using up a retry.
    pub fn shortest(&self) -> Duration {
        self.queue_delays()[0]
    }

    fn delay_after(&self, attempt: u32, chance: f64) -> Option<Duration> {
        let position = usize::try_from(attempt).ok()?.checked_sub(1)?;
        let planned = self.delays.get(position)?;
        let choice = (chance.clamp(0.0, 1.0) * JITTER_TENTHS.len() as f64) as usize;
        Some(variant(*planned, JITTER_TENTHS[choice.min(JITTER_TENTHS.len() - 1)]))
    }

    fn first_of_at_least(&self, asked: Duration) -> Duration {
        let delays = self.queue_delays();
        let longest = delays[delays.len() - 1];
        delays.into_iter().find(|delay| *delay >= asked).unwrap_or(longest)
    }
}

/// Whole milliseconds: a queue's TTL.
fn variant(delay: Duration, tenths: u32) -> Duration {
    let millis = (delay * tenths / 10).as_millis();
    Duration::from_millis(millis.try_into().unwrap_or(u64::MAX))
}

impl FromStr for RetryPolicy {
    type Err = BadSchedule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let delays = text.split(',').map(|part| read_delay(part.trim()));
        Self::new(delays.collect::<Result<_, _>>()?)
    }
}

fn read_delay(text: &str) -> Result<Duration, BadSchedule> {
    let bad = || BadSchedule::Delay(text.to_owned());
    let delay = humantime::parse_duration(text).map_err(|_| bad())?;
    let allowed = Duration::from_millis(10)..=Duration::from_secs(30 * 24 * 3600);
    if allowed.contains(&delay) { Ok(delay) } else { Err(bad()) }
}

impl fmt::Display for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delays: Vec<_> =
            self.delays.iter().map(|delay| humantime::format_duration(*delay).to_string()).collect();
        f.write_str(&delays.join(","))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outcome::UnreachableClass;

    fn policy() -> RetryPolicy {
        "5s, 5m,30m".parse().unwrap()
    }

    fn refused(asking: Option<u64>) -> Outcome {
        Outcome::Refused { status: 503, retry_after: asking.map(Duration::from_secs) }
    }

    const fn retry_in(millis: u64) -> Step<Duration> {
        Step::Retry(Duration::from_millis(millis))
    }

    #[test]
    fn the_schedule_decides_unless_the_receiver_asks_for_more() {
        let step = |outcome, attempt| next_step(&outcome, attempt, &policy(), 0.5);
        assert_eq!(step(refused(None), 1), retry_in(5_000));
        assert_eq!(step(refused(None), 2), retry_in(300_000));
        assert_eq!(step(refused(Some(3)), 1), retry_in(5_000));
        assert_eq!(step(refused(Some(60)), 1), retry_in(270_000));
        assert_eq!(step(refused(Some(1_000_000)), 1), retry_in(1_980_000));
        assert_eq!(step(refused(Some(60)), 4), Step::GiveUp);
        let timeout = Outcome::Unreachable { class: UnreachableClass::Timeout, error: String::new() };
        assert_eq!(step(timeout, 3), retry_in(1_800_000));
        assert_eq!(step(Outcome::Interrupted, 4), Step::GiveUp);
        assert_eq!(step(Outcome::Accepted { status: 204 }, 4), Step::Succeed);
        assert_eq!(step(Outcome::Gone, 1), Step::Disable);
    }

    #[test]
    fn chance_spreads_retries_over_three_queues() {
        let step = |chance| next_step(&refused(None), 1, &policy(), chance);
        assert_eq!((step(0.0), step(0.4), step(0.99)), (retry_in(4_500), retry_in(5_000), retry_in(5_500)));
    }

    #[test]
    fn schedules_are_read_and_refused_with_the_reason() {
        assert_eq!(policy().to_string(), "5s,5m,30m");
        assert!("5s,5m,30m,2h,8h".parse::<RetryPolicy>().is_ok());
        assert_eq!(
            "300ms".parse::<RetryPolicy>().unwrap().queue_delays(),
            [270, 300, 330].map(Duration::from_millis)
        );
        for bad in ["", "5s,", "5", "-5s", "0s", "31d", "soon", "1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s"] {
            assert!(bad.parse::<RetryPolicy>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_retry_goes_to_a_declared_queue_and_none_is_early(
            delays in prop::collection::vec(10u64..100_000, 1..=10),
            attempt in 0u32..12,
            asked in prop::option::of(0u64..200),
            chance in 0.0f64..1.0,
        ) {
            let longest = *delays.iter().max().unwrap();
            let planned = delays.get((attempt as usize).wrapping_sub(1)).copied();
            let policy = RetryPolicy::new(delays.into_iter().map(Duration::from_millis).collect()).unwrap();
            match next_step(&refused(asked), attempt, &policy, chance) {
                Step::Retry(delay) => {
                    prop_assert!(policy.queue_delays().contains(&delay));
                    let asked = Duration::from_secs(asked.unwrap_or(0));
                    prop_assert!(delay >= asked.min(Duration::from_millis(longest * 11 / 10)));
                    prop_assert!(delay >= Duration::from_millis(planned.unwrap() * 9 / 10));
                }
                step => prop_assert_eq!((step, planned), (Step::GiveUp, None)),
            }
        }
    }
}
