//! What an installation's queues hold, as the broker says.

use crate::{App, IN_FORCE, Webhook, cleanup::retry_delays, within};

impl App {
    /// How many messages wait for their retry.
    pub async fn retrying(&self) -> u32 {
        let mut waiting = 0;
        for delay in retry_delays(&self.settings["POSTHORN_RETRY_SCHEDULE"]) {
            let queue = self.broker.queue(&self.name(&format!("retry.{delay}"))).await;
            waiting += queue.map_or(0, |queue| queue.ready);
        }
        waiting
    }

    /// How many consumers a webhook's queue has: one per dispatcher that serves it.
    pub async fn consumers(&self, webhook: &Webhook) -> u32 {
        self.broker.queue(&self.queue(webhook)).await.map_or(0, |queue| queue.consumers)
    }

    /// Waits until no dispatcher takes deliveries of the webhook, for as long as a change may take.
    pub async fn is_let_go(&self, webhook: &Webhook) {
        let what = "no dispatcher serves the webhook";
        within(IN_FORCE, what, async || (self.consumers(webhook).await == 0).then_some(())).await;
    }

    /// Waits until so many dispatchers serve the webhook.
    pub async fn is_served_by(&self, webhook: &Webhook, dispatchers: u32) {
        crate::eventually_is("consumers", dispatchers, async || self.consumers(webhook).await).await;
    }
}
