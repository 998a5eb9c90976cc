//! Growing pauses between the tries of something that fails.

use std::time::Duration;

/// The pauses of one loop. Each is longer than the last, up to a bound, and is spread at random: those who
/// lost the same server do not all come back at the same moment.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Pauses that begin with `first` and double up to `longest`. Spreading adds up to half of each.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The pause before the next try. `chance` is random, from 0 to 1.
    pub fn pause(&mut self, chance: f64) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 2.0)
    }

    /// A try has succeeded: the pause after the next failure is the first one again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// A try has failed after running for `lasted`. One that ran longer than the longest pause had
    /// succeeded before.
    pub fn reset_after(&mut self, lasted: Duration) {
        if lasted > self.longest {
            self.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new(millis(200), millis(1000));
        let pauses: Vec<_> = (0..5).map(|_| backoff.pause(0.0).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.pause(0.0), millis(200));
    }

    #[test]
    fn spreading_never_shortens_a_pause_and_adds_at_most_half() {
        let pause = |chance| Backoff::new(millis(200), millis(1000)).pause(chance);
        assert_eq!([pause(0.0), pause(0.5), pause(1.0)], [millis(200), millis(250), millis(300)]);
        assert_eq!(pause(-1.0), millis(200));
        assert_eq!(pause(7.0), millis(300));
    }

    #[test]
    fn what_ran_for_long_had_succeeded() {
        let mut backoff = Backoff::new(millis(200), millis(1000));
        backoff.pause(0.0);
        backoff.reset_after(millis(1000));
        assert_eq!(backoff.pause(0.0), millis(400));
        backoff.reset_after(millis(1001));
        assert_eq!(backoff.pause(0.0), millis(200));
    }
}
