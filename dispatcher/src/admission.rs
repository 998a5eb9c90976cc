//! Admission: all that a delivery waits for before its attempt.

use std::{sync::Arc, time::Duration};

use posthorn_timing::Clock;
use tokio::time::timeout;

use crate::{
    circuit_breaker::Probe,
    latency_tracker::PROMPT,
    metrics,
    outage::Outage,
    permits::{Patience, Permit, Permits},
    recipient::{Recipient, WebhookPermit},
};

/// How long a delivery waits in hand before it goes back to a queue: well below the broker's limit of 30
/// minutes for an unacknowledged message.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

/// What attempts wait for, over all sessions.
pub(crate) struct Admission {
    pub(crate) permits: Permits,
    pub(crate) outage: Outage,
    pub(crate) clock: Clock,
}

/// The right to make an attempt.
pub(crate) struct Admitted {
    /// Set if the attempt probes behind an open circuit breaker.
    pub(crate) probe: Option<Probe>,
    _webhook_permit: WebhookPermit,
    _permit: Permit,
}

/// Why no attempt begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    /// The webhook was paused, disabled or deleted.
    Stopped,
    /// It took too long, or would.
    Waited,
}

/// How a delivery asks for admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// As the canary: past an open circuit breaker.
    pub(crate) is_canary: bool,
    pub(crate) patience: Patience,
}

impl Admission {
    /// Waits for the right to make an attempt.
    pub(crate) async fn admit(
        &self,
        recipient: &Arc<Recipient>,
        terms: Terms,
    ) -> Result<Admitted, NotAdmitted> {
        let longest = match terms.patience {
            Patience::Brief => PROMPT,
            Patience::Long => LONGEST_WAIT,
        };
        let admitting = timeout(longest, self.admitted(recipient, terms));
        match recipient.stop.run_until_cancelled(admitting).await {
            None => Err(NotAdmitted::Stopped),
            Some(Err(_) | Ok(None)) => Err(NotAdmitted::Waited),
            Some(Ok(Some(admitted))) => Ok(admitted),
        }
    }

    async fn admitted(&self, recipient: &Arc<Recipient>, terms: Terms) -> Option<Admitted> {
        let (probe, webhook_permit) = recipient.permit(terms.is_canary, self.clock).await;
        let target = recipient.target();
        if self.outage.holds(&target.host) {
            let _waiting = metrics::waiting(metrics::Wait::Outage);
            self.outage.passed(&target.host).await;
        }
        let permit = self.permits.acquire(&target, terms.patience).await?;
        Some(Admitted { probe, _webhook_permit: webhook_permit, _permit: permit })
    }
}
