//! Statistics: what is counted of a webhook in a minute or an hour, and percentiles of latency.
//!
//! Latencies are counted in a histogram of fixed bounds, so that those of minutes add up to those of
//! an hour, and percentiles can be read off any sum. The bounds grow by the square root of two from a
//! millisecond to half a minute: what is read off is wrong by a fifth at most.

use std::{ops::AddAssign, time::Duration};

use crate::{journal::Attempted, outcome::Outcome, step::Step};

/// How many counts a histogram has.
pub const BUCKETS: usize = 31;

/// What happened within a span of time, to one webhook or to all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Events that the webhook wanted; of all webhooks: events that were routed.
    pub events: u64,
    /// Attempts that were accepted, each the end of a delivery.
    pub accepted: u64,
    /// Attempts that were refused.
    pub refused: u64,
    /// Attempts that met a 410.
    pub gone: u64,
    /// Attempts without an answer.
    pub unreachable: u64,
    /// Attempts that were interrupted again and again.
    pub interrupted: u64,
    /// Deliveries that failed for good.
    pub failed: u64,
    /// How long attempts took that were answered.
    pub latency: Latency,
}

/// Counts of latencies. The first counts those up to a millisecond, each other those up to √2 times
/// the bound before it, the last all that are longer too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Latency(pub [u64; BUCKETS]);

impl Tally {
    /// Counts an attempt.
    pub fn attempt(&mut self, attempted: &Attempted) {
        let (count, is_answered) = match attempted.outcome {
            Outcome::Accepted { .. } => (&mut self.accepted, true),
            Outcome::Refused { .. } => (&mut self.refused, true),
            Outcome::Gone => (&mut self.gone, true),
            Outcome::Unreachable { .. } => (&mut self.unreachable, false),
            Outcome::Interrupted => (&mut self.interrupted, false),
        };
        *count += 1;
        if is_answered {
            self.latency.add(attempted.duration);
        }
        match attempted.step {
            Step::GiveUp | Step::Disable => self.failed += 1,
            Step::Succeed | Step::Retry(_) => {}
        }
    }

    /// Attempts of every outcome.
    pub fn attempts(&self) -> u64 {
        self.accepted + self.refused + self.gone + self.unreachable + self.interrupted
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        self.events += other.events;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.gone += other.gone;
        self.unreachable += other.unreachable;
        self.interrupted += other.interrupted;
        self.failed += other.failed;
        self.latency.0.iter_mut().zip(other.latency.0).for_each(|(count, more)| *count += more);
    }
}

impl Latency {
    /// Counts one.
    pub fn add(&mut self, latency: Duration) {
        self.0[bucket(latency)] += 1;
    }

    /// The latency that `share` of all (0.95 for p95) do not exceed, between the bounds of its bucket in
    /// proportion; `None` if there are none.
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let total: u64 = self.0.iter().sum();
        let rank = (share.clamp(0.0, 1.0) * total as f64).max(1.0);
        let mut below = 0;
        for (place, &count) in self.0.iter().enumerate() {
            if count > 0 && (below + count) as f64 >= rank {
                let low = if place == 0 { 0.0 } else { bound(place - 1) };
                let part = (rank - below as f64) / count as f64;
                return Some(Duration::from_secs_f64((low + (bound(place) - low) * part) / 1000.0));
            }
            below += count;
        }
        None
    }
}

/// The upper bound of a bucket in milliseconds.
fn bound(place: usize) -> f64 {
    (place as f64 / 2.0).exp2()
}

fn bucket(latency: Duration) -> usize {
    let millis = latency.as_secs_f64() * 1000.0;
    (0..BUCKETS - 1).find(|place| millis <= bound(*place)).unwrap_or(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(millis: impl IntoIterator<Item = u64>) -> Latency {
        let mut latency = Latency::default();
        millis.into_iter().for_each(|millis| latency.add(Duration::from_millis(millis)));
        latency
    }

    #[test]
    fn latencies_fall_between_their_bounds() {
        let place = |millis| of([millis]).0.iter().position(|count| *count == 1).unwrap();
        assert_eq!([0, 1, 2, 3, 4, 1000, 30_000, 1_000_000].map(place), [0, 0, 2, 4, 4, 20, 30, 30]);
    }

    #[test]
    fn percentiles_are_read_off() {
        assert_eq!(Latency::default().percentile(0.5), None);
        let latency = of((1..=100).map(|number| number * 10));
        for (share, millis) in [(0.5, 500), (0.95, 950), (0.99, 990), (1.0, 1000)] {
            let read = latency.percentile(share).unwrap().as_millis();
            assert!(read.abs_diff(millis) * 10 <= millis, "p{share}: {read} ms for {millis} ms");
        }
    }

    proptest! {
        #[test]
        fn a_percentile_is_wrong_by_the_width_of_a_bucket_at_most(
            mut millis in prop::collection::vec(1u64..30_000, 1..200), share in 0.01f64..1.0,
        ) {
            let read = of(millis.iter().copied()).percentile(share).unwrap().as_secs_f64() * 1000.0;
            millis.sort_unstable();
            let rank = ((share * millis.len() as f64).ceil() as usize).clamp(1, millis.len());
            let exact = millis[rank - 1] as f64;
            let width = std::f64::consts::SQRT_2;
            prop_assert!(read <= exact * width + 1e-6 && read >= exact / width - 1.0, "{read} for {exact}");
        }

        #[test]
        fn the_latencies_of_two_minutes_add_up(
            one in prop::collection::vec(0u64..60_000, 0..50), other in prop::collection::vec(0u64..60_000, 0..50),
        ) {
            let tally = |millis: &[u64]| Tally { latency: of(millis.iter().copied()), ..Tally::default() };
            let mut sum = tally(&one);
            sum += &tally(&other);
            prop_assert_eq!(sum, tally(&[one, other].concat()));
        }
    }
}
