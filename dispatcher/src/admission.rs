//! Admission: all that a delivery waits for before its attempt.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::{
    Dispatcher,
    circuit_breaker::Probe,
    latency_tracker::PROMPT,
    metrics,
    permits::Permit,
    recipient::{Recipient, WebhookPermit},
};

/// How long a delivery waits in hand before it goes back to a queue: well below the broker's limit of 30
/// minutes for an unacknowledged message.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

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

/// How long a delivery may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Others wait behind it.
    Brief,
    /// As long as it may be held.
    Long,
}

impl Dispatcher {
    /// Waits for the right to make an attempt; as the `canary`, past an open circuit breaker.
    pub(crate) async fn admit(
        &self,
        recipient: &Arc<Recipient>,
        is_canary: bool,
        patience: Patience,
    ) -> Result<Admitted, NotAdmitted> {
        let longest = match patience {
            Patience::Brief => PROMPT,
            Patience::Long => LONGEST_WAIT,
        };
        let admitting = timeout(longest, self.admitted(recipient, is_canary, patience));
        match recipient.stop.run_until_cancelled(admitting).await {
            None => Err(NotAdmitted::Stopped),
            Some(Err(_) | Ok(None)) => Err(NotAdmitted::Waited),
            Some(Ok(Some(admitted))) => Ok(admitted),
        }
    }

    async fn admitted(
        &self,
        recipient: &Arc<Recipient>,
        is_canary: bool,
        patience: Patience,
    ) -> Option<Admitted> {
        let (probe, webhook_permit) = recipient.permit(is_canary).await;
        let target = recipient.target();
        if self.outage.holds(&target.host) {
            let _waiting = metrics::waiting(metrics::Wait::Outage);
            self.outage.passed(&target.host).await;
        }
        let permit = self.permits.acquire(&target, patience).await?;
        Some(Admitted { probe, _webhook_permit: webhook_permit, _permit: permit })
    }
}
