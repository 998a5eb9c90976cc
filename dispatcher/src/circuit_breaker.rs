//! A webhook's circuit breaker, and those who wait behind it. See [`posthorn_domain::breaker`].

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use posthorn_domain::breaker::{Admission, Breaker, Signal, State};
use posthorn_timing::Clock;
use tokio::{sync::Notify, time::sleep_until};

use crate::metrics::{self, Wait};

/// The circuit breaker of one webhook.
#[derive(Default)]
pub(crate) struct CircuitBreaker {
    breaker: Mutex<Breaker>,
    changed: Notify,
}

/// The right to probe while the breaker is open. Dropped, it was not used.
pub(crate) struct Probe {
    breaker: Arc<CircuitBreaker>,
    clock: Clock,
    is_used: bool,
}

impl CircuitBreaker {
    pub(crate) fn is_closed(&self) -> bool {
        self.breaker().is_closed()
    }

    /// Waits until an attempt may begin; with a probe if the breaker is not closed.
    pub(crate) async fn pass(self: &Arc<Self>, clock: Clock) -> Option<Probe> {
        let mut waiting = None;
        loop {
            let changed = self.changed.notified();
            let at = match self.change(|breaker| breaker.admit(clock.instant())) {
                Admission::Freely => return None,
                Admission::AsProbe => {
                    return Some(Probe { breaker: self.clone(), clock, is_used: false });
                }
                Admission::Later(at) => at,
            };
            waiting.get_or_insert_with(|| metrics::waiting(Wait::CircuitBreaker));
            match at {
                Some(at) => tokio::select! { () = changed => {}, () = sleep_until(at.into()) => {} },
                None => changed.await,
            }
        }
    }

    /// An attempt has ended; tells whether the breaker is closed now, if it was not before or the reverse.
    pub(crate) fn ended(&self, probe: Option<Probe>, signal: Signal, now: Instant) -> Option<bool> {
        let is_closed = self.change(|breaker| {
            let was_closed = breaker.is_closed();
            breaker.ended(probe.is_some(), signal, now);
            Some(breaker.is_closed()).filter(|is_closed| *is_closed != was_closed)
        });
        if let Some(mut probe) = probe {
            probe.is_used = true;
        }
        is_closed
    }

    /// Whether a delivery that is to be tried again does so as the canary; `is_canary` if it was.
    pub(crate) fn takes_canary(&self, is_canary: bool) -> bool {
        self.breaker().takes_canary(is_canary)
    }

    /// The canary has used its last retry.
    pub(crate) fn canary_is_over(&self) {
        self.breaker().canary_is_over();
    }

    /// Closes it: the webhook may be another receiver now.
    pub(crate) fn reset(&self) {
        self.change(|breaker| *breaker = Breaker::default());
    }

    fn change<T>(&self, change: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breaker = self.breaker();
        let was = breaker.state();
        let changed = change(&mut breaker);
        let is = breaker.state();
        if was != is {
            metrics::breaker(was, is);
            self.changed.notify_waiters();
        }
        changed
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if !self.is_used {
            let now = self.clock.instant();
            self.breaker.change(|breaker| breaker.ended(true, Signal::Nothing, now));
        }
    }
}

impl Drop for CircuitBreaker {
    fn drop(&mut self) {
        metrics::breaker(self.breaker().state(), State::Closed);
    }
}
