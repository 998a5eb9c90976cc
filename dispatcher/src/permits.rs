//! Permits: the process makes only so many attempts at a time, and divides them fairly.
//!
//! A tenant, and a receiving host, gets at most a share of the permits that it has or that are free, so
//! that room for others is always left; within a tenant's share each webhook likewise. What has to wait
//! waits in a fair queue: round robin over tenants, then over a tenant's webhooks, then in order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use posthorn_attempt::Target;
use tokio::sync::oneshot;

mod fair_queue;

use fair_queue::{FairQueue, Ticket, Who};

pub use fair_queue::Shares;

use crate::metrics;

/// Deliveries of a company's batches that wait for permits: so that one whose share is taken by receivers
/// that hang fills no dispatcher with what waits for it.
const MOST_OF_BATCHES: usize = 64;

/// How long a delivery may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Others wait behind it.
    Brief,
    /// As long as it may be held.
    Long,
}

/// All permits of the process.
#[derive(Clone)]
pub(crate) struct Permits(Arc<Mutex<FairQueue<oneshot::Sender<()>>>>);

/// The right to make an attempt.
pub(crate) struct Permit {
    permits: Permits,
    who: Who,
}

/// Waits for a permit; gives its place up, or the permit that has come meanwhile, when dropped.
struct Waiting {
    permits: Permits,
    who: Who,
    ticket: Option<Ticket>,
}

impl Permits {
    pub(crate) fn new(most: usize, shares: Shares) -> Self {
        Self(Arc::new(Mutex::new(FairQueue::new(most, shares))))
    }

    /// Waits for a permit. A delivery that others wait behind does not if too many wait already.
    pub(crate) async fn acquire(&self, target: &Target, patience: Patience) -> Option<Permit> {
        let who = Who { tenant: target.tenant.clone(), host: target.host.clone(), webhook: target.id };
        if self.queue().take(&who) {
            return Some(Permit { permits: self.clone(), who });
        }
        if patience == Patience::Brief && self.queue().waiting(&who.tenant) >= MOST_OF_BATCHES {
            return None;
        }
        let (sender, granted) = oneshot::channel();
        let _waiting = metrics::waiting(metrics::Wait::Permit);
        let ticket = self.queue().wait(&who, sender);
        let mut waiting = Waiting { permits: self.clone(), who: who.clone(), ticket: Some(ticket) };
        granted.await.expect("whoever waits is in the queue until it is granted a permit");
        waiting.ticket = None;
        Some(Permit { permits: self.clone(), who })
    }

    fn give_back(&self, who: &Who) {
        let mut queue = self.queue();
        queue.give_back(who);
        Self::grant(&mut queue);
    }

    fn grant(queue: &mut FairQueue<oneshot::Sender<()>>) {
        while let Some(granted) = queue.next() {
            // Who has stopped waiting gives it back.
            let _ = granted.send(());
        }
    }

    fn queue(&self) -> MutexGuard<'_, FairQueue<oneshot::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.give_back(&self.who);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let was_waiting = self.permits.queue().leave(&self.who, ticket);
        if !was_waiting {
            self.permits.give_back(&self.who);
        }
    }
}
