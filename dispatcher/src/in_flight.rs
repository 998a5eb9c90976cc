//! Attempts whose consequence is not safe in the broker yet.
//!
//! When the broker goes away between an attempt and its acknowledgement, the delivery comes back.
//! What the attempt came to is remembered here, so that a blip of the broker makes no receiver see
//! it twice; and an attempt that still runs is waited for instead of being made again beside itself.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use posthorn_domain::{
    event::ContentDigest,
    id::{EventRef, WebhookId},
};
use tokio::sync::OnceCell;

/// After this time a delivery has come back to another dispatcher.
const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);
/// Finished attempts that are remembered; beyond it the one that finished first is forgotten. Those that run
/// are bounded by the permits.
const MOST_FINISHED: usize = 100_000;

/// Which attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AttemptKey {
    pub(crate) event: EventRef,
    /// Two contents that came with one id are two deliveries.
    pub(crate) digest: ContentDigest,
    pub(crate) webhook_id: WebhookId,
    pub(crate) epoch: u32,
    pub(crate) attempt: u32,
    /// An attempt that was put down to our network is made again under its number.
    pub(crate) forgiven: u32,
}

/// What an attempt has come to, once it is known.
pub(crate) type Cell<T> = Arc<OnceCell<T>>;

/// The attempts that run, and those that have finished and are not settled.
pub(crate) struct InFlightAttempts<T> {
    attempts: Mutex<Attempts<T>>,
    most_finished: usize,
}

struct Attempts<T> {
    known: HashMap<AttemptKey, Known<T>>,
    /// In the order in which they finished.
    finished: BTreeMap<u64, (AttemptKey, Instant)>,
    next: u64,
}

struct Known<T> {
    cell: Cell<T>,
    /// Its position among the finished.
    finished: Option<u64>,
}

impl<T> Default for InFlightAttempts<T> {
    fn default() -> Self {
        Self::with_most(MOST_FINISHED)
    }
}

impl<T> InFlightAttempts<T> {
    fn with_most(most_finished: usize) -> Self {
        let attempts = Attempts { known: HashMap::new(), finished: BTreeMap::new(), next: 0 };
        Self { attempts: Mutex::new(attempts), most_finished }
    }

    /// The cell of an attempt: empty if it is to be made, or runs.
    pub(crate) fn cell(&self, key: &AttemptKey) -> Cell<T> {
        let mut attempts = self.attempts();
        let known = attempts.known.entry(*key);
        known.or_insert_with(|| Known { cell: Cell::default(), finished: None }).cell.clone()
    }

    /// Whether the attempt was made, or runs.
    pub(crate) fn knows(&self, key: &AttemptKey) -> bool {
        self.attempts().known.contains_key(key)
    }

    /// The attempt has finished: it is remembered until it is settled, or too old, or one of too many.
    pub(crate) fn finished(&self, key: &AttemptKey, now: Instant) {
        let mut attempts = self.attempts();
        let next = attempts.next;
        let Some(known) = attempts.known.get_mut(key).filter(|known| known.finished.is_none()) else {
            return;
        };
        known.finished = Some(next);
        attempts.next += 1;
        attempts.finished.insert(next, (*key, now));
        attempts.tidy(self.most_finished, now);
    }

    /// The attempt was not made after all. It stays if another delivery waits for it, or makes it.
    pub(crate) fn abandoned(&self, key: &AttemptKey, cell: Cell<T>) {
        let mut attempts = self.attempts();
        drop(cell);
        let is_unused = |known: &Known<T>| known.finished.is_none() && Arc::strong_count(&known.cell) == 1;
        if attempts.known.get(key).is_some_and(is_unused) {
            attempts.known.remove(key);
        }
    }

    /// The attempts' consequences are safe.
    pub(crate) fn settled(&self, keys: &[AttemptKey]) {
        let mut attempts = self.attempts();
        for key in keys {
            if let Some(position) = attempts.known.remove(key).and_then(|known| known.finished) {
                attempts.finished.remove(&position);
            }
        }
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts<T>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Attempts<T> {
    fn tidy(&mut self, most: usize, now: Instant) {
        while let Some(first) = self.finished.first_entry() {
            let (key, at) = *first.get();
            if self.finished.len() <= most && now.duration_since(at) < FORGET_AFTER {
                return;
            }
            self.finished.pop_first();
            self.known.remove(&key);
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any moment will do")]
mod tests {
    use super::*;

    fn key(attempt: u32) -> AttemptKey {
        AttemptKey {
            event: EventRef::new("c1", "e1"),
            digest: ContentDigest(uuid::Uuid::nil()),
            webhook_id: WebhookId(uuid::Uuid::from_u128(1)),
            epoch: 1,
            attempt,
            forgiven: 0,
        }
    }

    fn make(memory: &InFlightAttempts<u32>, attempt: u32, now: Instant) {
        memory.cell(&key(attempt)).set(attempt).unwrap();
        memory.finished(&key(attempt), now);
    }

    #[test]
    fn the_oldest_finished_attempts_are_forgotten_and_running_ones_never() {
        let (memory, now) = (InFlightAttempts::with_most(3), Instant::now());
        let running = memory.cell(&key(0));
        (1..=5).for_each(|attempt| make(&memory, attempt, now));
        let known: Vec<_> = (0..=5).filter(|attempt| memory.knows(&key(*attempt))).collect();
        assert_eq!(known, [0, 3, 4, 5]);
        assert!(Arc::ptr_eq(&running, &memory.cell(&key(0))));
    }

    #[test]
    fn what_finished_long_ago_is_forgotten() {
        let (memory, now) = (InFlightAttempts::default(), Instant::now());
        make(&memory, 1, now);
        make(&memory, 2, now + FORGET_AFTER);
        assert!(!memory.knows(&key(1)) && memory.knows(&key(2)));
    }

    #[test]
    fn what_is_settled_leaves_nothing() {
        let (memory, now) = (InFlightAttempts::default(), Instant::now());
        make(&memory, 1, now);
        memory.finished(&key(1), now);
        memory.settled(&[key(1), key(2)]);
        let attempts = memory.attempts();
        assert!(attempts.known.is_empty() && attempts.finished.is_empty());
    }

    #[test]
    fn an_attempt_that_is_not_made_stays_while_another_delivery_waits_for_it() {
        let memory = InFlightAttempts::<u32>::default();
        let (first, second) = (memory.cell(&key(1)), memory.cell(&key(1)));
        memory.abandoned(&key(1), first);
        assert!(memory.knows(&key(1)));
        memory.abandoned(&key(1), second);
        assert!(!memory.knows(&key(1)));
    }
}
