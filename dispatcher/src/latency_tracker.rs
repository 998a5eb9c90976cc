//! Whether a receiver answers promptly. Deliveries to a slow one wait in its webhook's queue, so that they
//! hold up no batch that other webhooks share.

use std::time::{Duration, Instant};

/// An attempt that takes no longer is prompt, and so is a permit that comes within this time.
pub(crate) const PROMPT: Duration = Duration::from_secs(1);

/// The latency of one webhook's receiver.
#[derive(Debug)]
pub(crate) struct LatencyTracker {
    running: usize,
    /// When an attempt ended last, or began while none was running.
    progress_at: Instant,
    /// Whether the attempt that ended last was.
    was_prompt: bool,
}

impl LatencyTracker {
    pub(crate) fn new(now: Instant) -> Self {
        Self { running: 0, progress_at: now, was_prompt: true }
    }

    /// Whether an attempt that begins now is likely to end soon.
    pub(crate) fn is_prompt(&self, now: Instant) -> bool {
        self.was_prompt && (self.running == 0 || now.duration_since(self.progress_at) <= PROMPT)
    }

    pub(crate) fn begin(&mut self, now: Instant) {
        if self.running == 0 {
            self.progress_at = now;
        }
        self.running += 1;
    }

    /// An attempt ended in a way that shows nothing of the receiver.
    pub(crate) fn abandon(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    pub(crate) fn end(&mut self, took: Duration, now: Instant) {
        self.running = self.running.saturating_sub(1);
        self.progress_at = now;
        self.was_prompt = took <= PROMPT;
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any moment will do")]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn a_receiver_that_stops_answering_falls_behind_within_a_second() {
        let start = Instant::now();
        let mut tracker = LatencyTracker::new(start);
        assert!(tracker.is_prompt(start + 10 * PROMPT), "nothing runs: nothing is late");
        tracker.begin(start + 10 * PROMPT);
        tracker.begin(start + 11 * PROMPT);
        assert!(tracker.is_prompt(start + 11 * PROMPT));
        assert!(!tracker.is_prompt(start + 11 * PROMPT + MILLI), "the first runs for more than a second");
        tracker.end(PROMPT, start + 11 * PROMPT + MILLI);
        assert!(tracker.is_prompt(start + 12 * PROMPT));
    }

    #[test]
    fn an_abandoned_attempt_leaves_no_receiver_hanging() {
        let start = Instant::now();
        let mut tracker = LatencyTracker::new(start);
        tracker.begin(start);
        tracker.abandon();
        assert!(tracker.is_prompt(start + 10 * PROMPT));
    }

    #[test]
    fn a_slow_receiver_catches_up_with_its_first_prompt_answer() {
        let start = Instant::now();
        let mut tracker = LatencyTracker::new(start);
        tracker.begin(start);
        tracker.end(PROMPT + MILLI, start + PROMPT + MILLI);
        assert!(!tracker.is_prompt(start + 100 * PROMPT));
        tracker.begin(start + 100 * PROMPT);
        tracker.end(MILLI, start + 100 * PROMPT + MILLI);
        assert!(tracker.is_prompt(start + 100 * PROMPT + MILLI));
    }
}
