//! Recipients: what all deliveries to one webhook share, whichever way they come.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};

use futures_util::task::AtomicWaker;
use posthorn_attempt::Target;
use posthorn_domain::id::WebhookId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::pace::Pace;

/// The right to make an attempt at this webhook.
pub(crate) type Turn = OwnedSemaphorePermit;
/// The right to wait for a turn.
pub(crate) type Place = OwnedSemaphorePermit;

/// Deliveries that are held for each attempt that may run: while one is being attempted, the last
/// one's consequence is made safe in the broker.
pub(crate) const HELD_PER_ATTEMPT: u16 = 2;

/// An enabled webhook.
pub(crate) struct Recipient {
    target: Mutex<Arc<Target>>,
    /// Woken when the webhook's lane is to look whether it has to stop, or to be opened anew.
    pub(crate) changed: AtomicWaker,
    limits: Mutex<Limits>,
    pace: Mutex<Pace>,
    /// The webhook is paused, disabled or deleted, or the session is over: no attempt begins.
    pub(crate) stop: CancellationToken,
}

#[derive(Clone)]
struct Limits {
    /// As many as the webhook wants attempts at a time.
    turns: Arc<Semaphore>,
    /// Those of deliveries that come in rounds.
    places: Arc<Semaphore>,
}

impl Recipient {
    pub(crate) fn new(target: Arc<Target>, stop: CancellationToken) -> Self {
        let limits = Mutex::new(Limits::of(&target));
        let pace = Mutex::new(Pace::new(Instant::now()));
        Self { target: Mutex::new(target), changed: AtomicWaker::new(), limits, pace, stop }
    }

    /// The webhook as it is now.
    pub(crate) fn target(&self) -> Arc<Target> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn id(&self) -> WebhookId {
        self.target().id
    }

    /// The attempts that the webhook wants at a time.
    pub(crate) fn max_in_flight(&self) -> u16 {
        self.target().max_in_flight
    }

    /// The webhook has changed.
    pub(crate) fn update(&self, target: Arc<Target>) {
        let is_resized = target.max_in_flight != self.max_in_flight();
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target.clone();
        if is_resized {
            *self.limits() = Limits::of(&target);
            self.changed.wake();
        }
    }

    /// The webhook is paused, disabled or deleted.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
        self.changed.wake();
    }

    /// Waits for a turn; `None` if no attempt is to begin.
    pub(crate) async fn turn(&self) -> Option<Turn> {
        let turns = self.limits().turns.clone();
        let turn = self.stop.run_until_cancelled(turns.acquire_owned()).await?;
        Some(turn.expect("the semaphore is never closed"))
    }

    /// A place, if a turn is likely to come soon: the receiver keeps pace, and not too many wait.
    pub(crate) fn place(&self, now: Instant) -> Option<Place> {
        if self.stop.is_cancelled() || !self.pace().is_kept(now) {
            return None;
        }
        let places = self.limits().places.clone();
        places.try_acquire_owned().ok()
    }

    pub(crate) fn begin_attempt(&self, now: Instant) {
        self.pace().begin(now);
    }

    pub(crate) fn end_attempt(&self, took: Duration, now: Instant) {
        self.pace().end(took, now);
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limits {
    fn of(target: &Target) -> Self {
        let turns = target.max_in_flight;
        let places = turns.saturating_mul(HELD_PER_ATTEMPT);
        Self {
            turns: Arc::new(Semaphore::new(turns.into())),
            places: Arc::new(Semaphore::new(places.into())),
        }
    }
}

/// The recipients of one session.
#[derive(Default)]
pub(crate) struct Recipients(RwLock<HashMap<WebhookId, Arc<Recipient>>>);

impl Recipients {
    pub(crate) fn get(&self, id: WebhookId) -> Option<Arc<Recipient>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    pub(crate) fn insert(&self, id: WebhookId, recipient: Arc<Recipient>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id, recipient);
    }

    pub(crate) fn remove(&self, id: WebhookId) -> Option<Arc<Recipient>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }
}
