//! Probes: whether a receiver's host can be reached, without a request.

use std::time::Duration;

use posthorn_domain::outage::Reach;
use tokio::time::timeout;

use crate::{
    mask::Masks,
    progress::Progress,
    receivers::Receivers,
    target::{Endpoint, Target},
};

impl Receivers {
    /// Looks the target's host up, connects, and hangs up.
    pub async fn probe(&self, target: &Target, within: Duration) -> Reach {
        let Ok(endpoint) = &target.endpoint else { return Reach::Unclear };
        timeout(within, self.connects(endpoint)).await.unwrap_or(Reach::Unreached)
    }

    async fn connects(&self, endpoint: &Endpoint) -> Reach {
        let mut progress = Progress::default();
        match self.dialler.connect(&endpoint.origin, &mut progress).await {
            Ok(_) => Reach::Reached,
            Err(failure) => {
                let is_local = failure.is_local;
                Reach::of(&failure.outcome(&Masks::default()), progress.link(), is_local)
            }
        }
    }
}
