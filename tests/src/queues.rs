//! What an installation's queues hold, as the broker says.

use posthorn_proto::v1::JournalBatch;
use prost::Message;

use crate::{App, Event, IN_FORCE, Webhook, cleanup::retry_delays, database::uuid_of, event::event, within};

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

    /// How many batches wait for a dispatcher.
    pub async fn waiting_batches(&self) -> u64 {
        self.broker.queue(&self.name("batches")).await.map_or(0, |queue| queue.ready.into())
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

    /// Publishes events until one is not routed to the webhook any more: the router hears of a change by
    /// itself, not when the dispatcher does. Returns the ids of those that still were, and that one.
    pub async fn misses(&self, webhook: &Webhook) -> (Vec<String>, Event) {
        let id = uuid_of(&webhook.id);
        let mut routed = Vec::new();
        while routed.len() < 100 {
            let probe = event("todo.created");
            self.publish(&probe).await;
            if !self.database.records_event(&probe.id).await.webhook_ids.contains(&id) {
                return (routed, probe);
            }
            routed.push(probe.id);
        }
        panic!("{} is still routed to", webhook.id)
    }

    /// Waits until so many dispatchers serve the webhook.
    pub async fn is_served_by(&self, webhook: &Webhook, dispatchers: u32) {
        crate::eventually_is("consumers", dispatchers, async || self.consumers(webhook).await).await;
    }
}

/// How many entries batches of the journal hold: each is a field 1 of a `JournalBatch`.
pub fn journal_entries(batches: &[Vec<u8>]) -> usize {
    batches.iter().map(|batch| JournalBatch::decode(batch.as_slice()).expect("a batch").entries.len()).sum()
}
