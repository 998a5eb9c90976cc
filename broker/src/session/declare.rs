//! The channel for declares: a refusal closes it, so that it is used for nothing else.

use lapin::Channel;
use posthorn_timing::within;

use super::Session;
use crate::error::{ANSWER_TIMEOUT, BrokerError};

impl Session {
    pub(crate) async fn on_declaring_channel<T>(
        &self,
        act: impl AsyncFnOnce(Channel) -> Result<T, BrokerError>,
    ) -> Result<T, BrokerError> {
        let task = "declare queues";
        let mut kept = self.declaring.lock().await;
        let acting = async {
            let channel = match kept.take().filter(|channel| channel.status().connected()) {
                Some(channel) => channel,
                None => self.consuming.create_channel().await.map_err(BrokerError::amqp(task))?,
            };
            let done = act(channel.clone()).await;
            *kept = Some(channel);
            done
        };
        within(ANSWER_TIMEOUT, acting, || BrokerError::NoAnswer { task }).await
    }

    /// lapin remembers all that a channel has declared as long as the channel lives.
    pub(super) async fn forget_declared(&self) {
        self.declaring.lock().await.take();
    }
}
