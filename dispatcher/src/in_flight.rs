//! Attempts whose consequence is not safe in the broker yet.
//!
//! When the broker goes away between an attempt and its acknowledgement, the delivery comes back.
//! What the attempt came to is remembered here, so that a blip of the broker makes no receiver see
//! it twice; and an attempt that still runs is waited for instead of being made again beside itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use posthorn_domain::{
    event::ContentDigest,
    id::{EventRef, WebhookId},
};
use tokio::sync::OnceCell;

use crate::delivery::Made;

/// After this time a delivery has come back to somebody else.
const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);
/// The most attempts that are remembered; beyond it the oldest are forgotten.
const MOST: usize = 100_000;

/// Which attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
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
pub(crate) type Cell = Arc<OnceCell<Made>>;

#[derive(Default)]
pub(crate) struct InFlightAttempts {
    attempts: Mutex<HashMap<Key, (Cell, Instant)>>,
}

impl InFlightAttempts {
    /// The cell of an attempt: empty if it is to be made.
    pub(crate) fn cell(&self, key: &Key) -> Cell {
        let mut attempts = self.attempts();
        let now = Instant::now();
        let is_fresh = |since: Instant| now.duration_since(since) < FORGET_AFTER;
        if let Some((cell, _)) = attempts.get(key).filter(|(_, since)| is_fresh(*since)) {
            return cell.clone();
        }
        if attempts.len() >= MOST {
            attempts.retain(|_, (_, since)| is_fresh(*since));
        }
        if attempts.len() >= MOST {
            attempts.clear();
        }
        let cell = Cell::default();
        attempts.insert(*key, (cell.clone(), now));
        cell
    }

    /// Whether the attempt was made, or runs.
    pub(crate) fn knows(&self, key: &Key) -> bool {
        self.attempts().contains_key(key)
    }

    /// The attempt is settled, or was not made.
    pub(crate) fn forget(&self, key: &Key) {
        self.attempts().remove(key);
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<Key, (Cell, Instant)>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
