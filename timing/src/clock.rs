//! Time and chance, as an argument.

use std::time::Instant;

use jiff::Timestamp;

/// Where a part of the process reads the time and takes chance from. It is made once, at the start, and handed
/// on: nothing else reads a clock, and what decides gets a time or a number.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    sources: &'static Sources,
}

/// What a clock reads.
#[derive(Debug)]
pub struct Sources {
    /// The time of day.
    pub now: fn() -> Timestamp,
    /// A time that only rises.
    pub instant: fn() -> Instant,
    /// A number, uniform in 0..1.
    pub chance: fn() -> f64,
}

#[expect(clippy::disallowed_methods, reason = "the one place where they are read")]
static SYSTEM: Sources = Sources { now: Timestamp::now, instant: Instant::now, chance: rand::random };

impl Clock {
    /// The system's.
    pub fn system() -> Self {
        Self::new(&SYSTEM)
    }

    /// One that reads these.
    pub fn new(sources: &'static Sources) -> Self {
        Self { sources }
    }

    /// The time of day.
    pub fn now(self) -> Timestamp {
        (self.sources.now)()
    }

    /// A time that only rises.
    pub fn instant(self) -> Instant {
        (self.sources.instant)()
    }

    /// A number, uniform in 0..1.
    pub fn chance(self) -> f64 {
        (self.sources.chance)()
    }
}
