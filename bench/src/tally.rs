//! The tally of one run: what arrived, how often, how late.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
};

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::setup::{Load, Setup};

/// The most events of a run.
pub(crate) const MOST_EVENTS: usize = 4 << 20;
const LONGEST_MICROS: u64 = 600_000_000;

/// Counts the deliveries of one run. An event's id is `<run>-<number>`.
pub(crate) struct Tally {
    pub(crate) run: u32,
    pub(crate) setup: Setup,
    /// How often each event has arrived.
    arrivals: Vec<AtomicU8>,
    pub(crate) accepted: AtomicU64,
    pub(crate) repeated: AtomicU64,
    /// Requests whose content or signature is not what was published.
    pub(crate) wrong: AtomicU64,
    measuring: AtomicBool,
    pub(crate) measured: AtomicU64,
    latencies: Mutex<Histogram<u64>>,
    /// Room for further events under a closed load.
    pub(crate) room: Semaphore,
}

/// Latency from the time an event was due to its arrival, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

impl Tally {
    pub(crate) fn new(run: u32, setup: Setup) -> Self {
        let window = if let Load::Closed { window } = setup.load { window } else { 0 };
        let latencies = Histogram::new_with_bounds(1, LONGEST_MICROS, 3).expect("the bounds are good");
        Self {
            run,
            setup,
            arrivals: std::iter::repeat_with(AtomicU8::default).take(MOST_EVENTS).collect(),
            accepted: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
            measuring: AtomicBool::new(false),
            measured: AtomicU64::new(0),
            latencies: Mutex::new(latencies),
            room: Semaphore::new(window),
        }
    }

    /// An event has arrived at a webhook that accepts it.
    pub(crate) fn arrived(&self, number: u64, latency_micros: u64) {
        let Some(arrivals) = self.arrivals.get(number as usize) else {
            self.wrong.fetch_add(1, Relaxed);
            return;
        };
        let count = arrivals.fetch_add(1, Relaxed) + 1;
        let expected = self.setup.expected(number);
        if count > expected {
            self.repeated.fetch_add(1, Relaxed);
            return;
        }
        self.accepted.fetch_add(1, Relaxed);
        if self.measuring.load(Relaxed) && self.setup.is_measured(number) {
            self.measured.fetch_add(1, Relaxed);
            self.latencies().saturating_record(latency_micros);
        }
        if count == expected {
            self.room.add_permits(1);
        }
    }

    /// Begins or ends the time that counts.
    pub(crate) fn measure(&self, is: bool) {
        self.measuring.store(is, Relaxed);
    }

    /// Deliveries still to come of the first `events`.
    pub(crate) fn missing(&self, events: u64) -> u64 {
        (0..events)
            .zip(&self.arrivals)
            .map(|(number, arrivals)| {
                u64::from(self.setup.expected(number).saturating_sub(arrivals.load(Relaxed)))
            })
            .sum()
    }

    pub(crate) fn latency(&self) -> Latency {
        let latencies = self.latencies();
        let millis = |quantile| latencies.value_at_quantile(quantile) as f64 / 1000.0;
        Latency { p50: millis(0.5), p90: millis(0.9), p99: millis(0.99), p999: millis(0.999) }
    }

    fn latencies(&self) -> std::sync::MutexGuard<'_, Histogram<u64>> {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::Kind;

    #[test]
    fn losses_and_repetitions_are_seen() {
        let tally = Tally::new(1, Setup::new(Kind::Ceiling, 2, 2));
        tally.measure(true);
        for number in [0, 0, 0, 1] {
            tally.arrived(number, 1000);
        }
        assert_eq!(tally.missing(2), 1);
        assert_eq!(tally.repeated.load(Relaxed), 1);
        assert_eq!(tally.measured.load(Relaxed), 3);
        assert!((tally.latency().p50 - 1.0).abs() < 0.01);
    }
}
