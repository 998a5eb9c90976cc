//! Waiting for conditions. The pause between two looks is the only sleep of the tests, but for faults that
//! have to last so long.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// How long a test waits for what must come. It bounds failures only, so it is far longer than needed.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// How long a committed change of a webhook may take to be in force; the promise is a second.
pub const IN_FORCE: Duration = Duration::from_secs(2);

const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Waits until `check` answers `Some`; panics with `what` after [`PATIENCE`].
pub async fn eventually<T>(what: &str, check: impl AsyncFnMut() -> Option<T>) -> T {
    within(PATIENCE, what, check).await
}

/// Waits until `check` answers `Some`; panics with `what` after `deadline`.
pub async fn within<T>(deadline: Duration, what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let mut looks = Looks::until(Instant::now() + deadline);
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(looks.another().await, "not within {deadline:?}: {what}");
    }
}

/// Waits until `observe` answers `expected`; panics with what it answered last.
pub async fn eventually_is<T: PartialEq + Debug>(
    what: &str,
    expected: T,
    mut observe: impl AsyncFnMut() -> T,
) {
    let mut looks = Looks::until(Instant::now() + PATIENCE);
    loop {
        let observed = observe().await;
        if observed == expected {
            return;
        }
        assert!(looks.another().await, "{what}: {observed:?} after {PATIENCE:?}, expected {expected:?}");
    }
}

/// A fault lasts so long. Never to wait for what must come, or must not.
pub async fn lasts(fault: Duration) {
    tokio::time::sleep(fault).await;
}

struct Looks {
    deadline: Instant,
    pause: Duration,
}

impl Looks {
    fn until(deadline: Instant) -> Self {
        Self { deadline, pause: SHORTEST_PAUSE }
    }

    /// Pauses, a little longer each time; answers whether there is time for another look.
    async fn another(&mut self) -> bool {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 5 / 4).min(LONGEST_PAUSE);
        Instant::now() < self.deadline
    }
}
