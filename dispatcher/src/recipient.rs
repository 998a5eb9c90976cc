//! Recipients: what all deliveries to one webhook share, whichever way they come.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::task::AtomicWaker;
use posthorn_attempt::Target;
use posthorn_domain::{breaker::Signal, id::WebhookId};
use posthorn_timing::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    circuit_breaker::{CircuitBreaker, Probe},
    latency_tracker::LatencyTracker,
    metrics,
};

/// The right to make an attempt at this webhook.
pub(crate) type WebhookPermit = OwnedSemaphorePermit;
/// The right of a batched delivery to be held here until it gets a [`WebhookPermit`].
pub(crate) struct HoldPermit(Arc<Recipient>);

/// An attempt at a webhook that runs.
#[must_use = "dropped, the attempt has shown nothing"]
pub(crate) struct Running<'a> {
    recipient: &'a Recipient,
    is_ended: bool,
}

/// Deliveries that are held for each attempt that may run: while one is being attempted, the last
/// one's consequence is made safe in the broker.
pub(crate) const HELD_PER_ATTEMPT: u16 = 2;

/// An enabled webhook.
pub(crate) struct Recipient {
    target: Mutex<Arc<Target>>,
    /// Woken when the webhook's consumer is to look whether it has to stop, or to be opened anew.
    pub(crate) changed: AtomicWaker,
    /// As many as the webhook wants attempts at a time.
    permits: Mutex<Arc<Semaphore>>,
    /// Hold permits that are taken.
    holds: AtomicU32,
    latency: Mutex<LatencyTracker>,
    pub(crate) breaker: Arc<CircuitBreaker>,
    /// The webhook is paused, disabled or deleted, or the session is over: no attempt begins.
    pub(crate) stop: CancellationToken,
}

impl Recipient {
    pub(crate) fn new(target: Arc<Target>, stop: CancellationToken, now: Instant) -> Self {
        Self {
            permits: Mutex::new(permits(&target)),
            target: Mutex::new(target),
            changed: AtomicWaker::new(),
            holds: AtomicU32::new(0),
            latency: Mutex::new(LatencyTracker::new(now)),
            breaker: Arc::default(),
            stop,
        }
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

    /// How many deliveries of the webhook's queue are held. Behind an open circuit breaker only the one
    /// that probes next: the others stay in the queue.
    pub(crate) fn prefetch(&self) -> u16 {
        match self.breaker.is_closed() {
            true => self.max_in_flight().saturating_mul(HELD_PER_ATTEMPT),
            false => 1,
        }
    }

    /// The webhook has changed. It may be another receiver now, so its circuit breaker closes.
    pub(crate) fn update(&self, target: Arc<Target>) {
        let is_resized = target.max_in_flight != self.max_in_flight();
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target.clone();
        self.breaker.reset();
        if is_resized {
            *self.permits() = permits(&target);
        }
        self.changed.wake();
    }

    /// The webhook is paused, disabled or deleted.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
        self.changed.wake();
    }

    /// Waits for a permit, behind the circuit breaker unless it is for the canary.
    pub(crate) async fn permit(&self, is_canary: bool, clock: Clock) -> (Option<Probe>, WebhookPermit) {
        loop {
            let probe = if is_canary { None } else { self.breaker.pass(clock).await };
            let permits = self.permits().clone();
            let permit = match permits.clone().try_acquire_owned() {
                Ok(permit) => permit,
                Err(_) => {
                    let _waiting = metrics::waiting(metrics::Wait::MaxInFlight);
                    permits.acquire_owned().await.expect("the semaphore is never closed")
                }
            };
            // It may have opened meanwhile.
            if is_canary || probe.is_some() || self.breaker.is_closed() {
                return (probe, permit);
            }
        }
    }

    /// A hold permit, if an attempt is likely to begin soon: the receiver answers promptly, and not too many
    /// deliveries are held for it.
    pub(crate) fn hold(self: &Arc<Self>, now: Instant) -> Option<HoldPermit> {
        if self.stop.is_cancelled() || !self.latency().is_prompt(now) || !self.breaker.is_closed() {
            return None;
        }
        let most = self.max_in_flight().saturating_mul(HELD_PER_ATTEMPT).into();
        let take = |taken| (taken < most).then_some(taken + 1);
        self.holds.fetch_update(Relaxed, Relaxed, take).ok()?;
        Some(HoldPermit(self.clone()))
    }

    /// An attempt begins; it runs until what is returned is ended, or dropped.
    pub(crate) fn begin_attempt(&self, now: Instant) -> Running<'_> {
        self.latency().begin(now);
        Running { recipient: self, is_ended: false }
    }

    fn tell_breaker(&self, probe: Option<Probe>, signal: Signal, now: Instant) {
        let Some(is_closed) = self.breaker.ended(probe, signal, now) else { return };
        self.changed.wake();
        let id = self.id();
        match is_closed {
            true => tracing::info!(webhook.id = %id, "the circuit breaker of a webhook has closed"),
            false => tracing::warn!(
                webhook.id = %id,
                "the circuit breaker of a webhook has opened: it is tried once at a time until it answers"
            ),
        }
    }

    fn permits(&self) -> MutexGuard<'_, Arc<Semaphore>> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn latency(&self) -> MutexGuard<'_, LatencyTracker> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn permits(target: &Target) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(target.max_in_flight.into()))
}

impl Running<'_> {
    /// The attempt has ended.
    pub(crate) fn end(mut self, probe: Option<Probe>, signal: Signal, took: Duration, now: Instant) {
        self.is_ended = true;
        self.recipient.latency().end(took, now);
        self.recipient.tell_breaker(probe, signal, now);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.is_ended {
            self.recipient.latency().abandon();
        }
    }
}

impl Drop for HoldPermit {
    fn drop(&mut self) {
        self.0.holds.fetch_sub(1, Relaxed);
    }
}

/// The recipients of one session.
#[derive(Default)]
pub(crate) struct Recipients(RwLock<HashMap<WebhookId, Arc<Recipient>>>);

impl Recipients {
    pub(crate) fn get(&self, id: WebhookId) -> Option<Arc<Recipient>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// All webhooks.
    pub(crate) fn targets(&self) -> Vec<Arc<Target>> {
        let recipients = self.0.read().unwrap_or_else(PoisonError::into_inner);
        recipients.values().map(|recipient| recipient.target()).collect()
    }

    pub(crate) fn insert(&self, id: WebhookId, recipient: Arc<Recipient>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id, recipient);
    }

    pub(crate) fn remove(&self, id: WebhookId) -> Option<Arc<Recipient>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any moment will do")]
mod tests {
    use posthorn_domain::{
        address::AddressPolicy,
        keyring::{KeyRing, entry},
        signature::Secret,
        tenant::Tenant,
        webhook::{DisablePolicy, LiveSecret, State, Webhook},
    };
    use uuid::Uuid;

    use super::*;

    fn target(max_in_flight: u16) -> Arc<Target> {
        let id = WebhookId(Uuid::from_u128(1));
        let keys: KeyRing = entry("a", [1; 32]).parse().unwrap();
        let sealed = keys.seal(&Secret::new([2; 32]), id, [3; 24]);
        let webhook = Webhook {
            id,
            url: "https://example.com".to_owned(),
            rules: Vec::new(),
            tenant: Tenant::Installation,
            state: State::Enabled,
            epoch: 1,
            timeout: Duration::from_secs(1),
            max_in_flight,
            disable_policy: DisablePolicy::Exhausted,
            http2: false,
            headers: Default::default(),
            secrets: vec![LiveSecret { sealed, expires_at: None }],
        };
        Arc::new(Target::prepare(&webhook, &keys, &AddressPolicy::default()).unwrap())
    }

    #[test]
    fn two_deliveries_are_held_for_each_attempt_at_a_time() {
        let recipient = Arc::new(Recipient::new(target(1), CancellationToken::new(), Instant::now()));
        let hold = || recipient.hold(Instant::now());
        let (first, second) = (hold(), hold());
        assert!(first.is_some() && second.is_some());
        assert!(hold().is_none());
        drop(first);
        let third = hold();
        assert!(third.is_some(), "a permit is free again");
        recipient.update(target(2));
        let more = (hold(), hold());
        assert!(more.0.is_some() && more.1.is_some(), "those that are taken still count");
        assert!(hold().is_none());
    }
}
