//! The answer to a message.

use std::sync::Arc;

use lapin::options::BasicNackOptions;

use super::channel::ConsumerChannel;
use crate::acks::ConsumerId;

/// The right to answer a message, once. Dropped unanswered, the message comes back when the channel
/// closes.
pub struct Receipt {
    pub(super) tag: u64,
    pub(super) consumer: ConsumerId,
    pub(super) prefetch: u16,
    pub(super) channel: Arc<ConsumerChannel>,
}

impl Receipt {
    /// The work is done and safe: acknowledges the message soon.
    pub fn finish(self) {
        self.channel.finish(self.tag, self.consumer, self.prefetch);
    }

    /// Gives the message back to its queue.
    pub async fn give_back(self) {
        let options = BasicNackOptions { requeue: true, multiple: false };
        if self.channel.channel.basic_nack(self.tag, options).await.is_err() {
            self.channel.dead.cancel();
        }
        // Not before: a run of acknowledgements that passes over the tag must not overtake the nack.
        self.channel.acks().give_back(self.tag);
    }
}
