//! Holds attempts while it looks as if our own network is down, those only whose host has turned. See
//! [`posthorn_domain::outage`].

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use posthorn_attempt::{Receivers, Target};
use posthorn_domain::outage::{Candidate, Phase, Reach, Reachability};
use posthorn_timing::Clock;
use tokio::{sync::watch, time::timeout};

use crate::{metrics, recipient::Recipients};

/// Hosts that are probed at a time.
const PROBES: usize = 8;
/// How long a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two rounds of probes.
const PAUSE: Duration = Duration::from_secs(1);

/// What is known of our network, over all sessions.
pub(crate) struct Outage {
    seen: Mutex<Reachability>,
    phase: watch::Sender<Phase>,
    clock: Clock,
}

impl Outage {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { seen: Mutex::default(), phase: watch::Sender::new(Phase::Calm), clock }
    }

    /// Whether attempts at this host are to wait.
    pub(crate) fn holds(&self, host: &str) -> bool {
        *self.phase.borrow() != Phase::Calm && self.seen().holds(host)
    }

    /// Waits until attempts at this host may be made.
    pub(crate) async fn passed(&self, host: &str) {
        let mut phase = self.phase.subscribe();
        while phase.borrow_and_update().ne(&Phase::Calm) && self.seen().holds(host) {
            phase.changed().await.expect("we hold the sender");
        }
    }

    /// Notes an attempt; tells whether its failure is to be put down to us.
    pub(crate) fn note(&self, target: &Target, reach: Reach) -> bool {
        let mut seen = self.seen();
        let is_ours = seen.note(&target.host, &target.tenant, reach, self.clock.instant());
        self.tell(seen.phase());
        is_ours
    }

    /// Probes whenever an outage is suspected, until it is over. Never returns.
    pub(crate) async fn probe(&self, receivers: &Receivers, recipients: &Recipients) {
        let mut phase = self.phase.subscribe();
        loop {
            phase.wait_for(|phase| *phase != Phase::Calm).await.expect("we hold the sender");
            self.probe_once(receivers, recipients).await;
            // Over at once if it was no outage.
            let over = phase.wait_for(|phase| *phase == Phase::Calm);
            let _ = timeout(PAUSE, over).await;
        }
    }

    async fn probe_once(&self, receivers: &Receivers, recipients: &Recipients) {
        let targets = recipients.targets();
        let candidates = targets.into_iter().filter(|target| !target.host.is_empty());
        let candidates: Vec<_> = candidates
            .map(|target| Candidate {
                host: target.host.clone(),
                tenant: target.tenant.clone(),
                with: target,
            })
            .collect();
        let tenants = candidates.iter().map(|candidate| &candidate.tenant);
        let tenants = tenants.collect::<std::collections::HashSet<_>>().len();
        let chosen = self.seen().choose(candidates, PROBES, self.clock.instant());
        join_all(chosen.iter().map(async |candidate: &Candidate<Arc<Target>>| {
            let reach = receivers.probe(&candidate.with, PROBE_TIMEOUT).await;
            self.note(&candidate.with, reach);
        }))
        .await;
        let mut seen = self.seen();
        seen.conclude(tenants, self.clock.instant());
        self.tell(seen.phase());
    }

    /// Called under the lock of what is seen: the last phase told is the last one decided.
    fn tell(&self, phase: Phase) {
        let was = self.phase.send_replace(phase);
        if was == phase {
            return;
        }
        metrics::outage(phase == Phase::Outage);
        match (was, phase) {
            (_, Phase::Outage) => tracing::error!(
                "hosts of several companies cannot be reached: the fault is on our side, their attempts pause"
            ),
            (Phase::Outage, Phase::Calm) => tracing::warn!("hosts can be reached again: attempts go on"),
            (_, Phase::Suspected) | (Phase::Suspected | Phase::Calm, Phase::Calm) => {}
        }
    }

    fn seen(&self) -> MutexGuard<'_, Reachability> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
