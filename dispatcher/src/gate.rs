//! The gate before every attempt: closed while it looks as if our own network is down, but for a few
//! probes. See [`posthorn_domain::outage`].

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use posthorn_domain::{
    id::WebhookId,
    outage::Reachability,
    outcome::{Outcome, UnreachableClass},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::timeout,
};

use crate::metrics;

/// Attempts that probe at a time.
const PROBES: usize = 4;
/// How long a delivery waits at the gate before it goes back to a queue: well below the broker's
/// limit of 30 minutes for an unacknowledged message.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

pub(crate) struct Gate {
    seen: Mutex<Reachability>,
    outage: watch::Sender<bool>,
    probes: Semaphore,
}

/// The right to make an attempt.
pub(crate) struct Pass<'a> {
    _probe: Option<SemaphorePermit<'a>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { seen: Mutex::default(), outage: watch::Sender::new(false), probes: Semaphore::new(PROBES) }
    }
}

impl Gate {
    /// Waits for the right to make an attempt; `None` if the outage lasts too long.
    pub(crate) async fn pass(&self) -> Option<Pass<'_>> {
        let mut outage = self.outage.subscribe();
        if !*outage.borrow_and_update() {
            return Some(Pass { _probe: None });
        }
        let waiting = async {
            tokio::select! {
                over = outage.wait_for(|outage| !outage) => {
                    over.expect("we hold the sender");
                    Pass { _probe: None }
                }
                probe = self.probes.acquire() => {
                    Pass { _probe: Some(probe.expect("the semaphore is never closed")) }
                }
            }
        };
        timeout(LONGEST_WAIT, waiting).await.ok()
    }

    /// Notes an outcome; tells whether it is to be put down to an outage of ours.
    pub(crate) fn note(&self, webhook: WebhookId, outcome: &Outcome, now: Instant) -> bool {
        let Some(reached) = reached(outcome) else { return false };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let was = seen.is_outage();
        seen.note(webhook, reached, now);
        let is = seen.is_outage();
        if was != is {
            self.outage.send_replace(is);
            metrics::outage(is);
            match is {
                true => tracing::error!(
                    "most webhooks turned unreachable at once: the fault is on our side, attempts pause"
                ),
                false => tracing::warn!("a webhook was reached again: attempts go on"),
            }
        }
        is && !reached
    }
}

/// Whether the attempt got to its receiver; `None` if it tells nothing about the network.
fn reached(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Outcome::Accepted { .. } | Outcome::Refused { .. } | Outcome::Gone => Some(true),
        Outcome::Interrupted => None,
        Outcome::Unreachable { class, .. } => match class {
            UnreachableClass::Blocked => None,
            UnreachableClass::InvalidReply => Some(true),
            UnreachableClass::Dns
            | UnreachableClass::Connect
            | UnreachableClass::Tls
            | UnreachableClass::Timeout
            | UnreachableClass::Reset => Some(false),
        },
    }
}
