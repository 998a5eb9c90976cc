//! Opens the consumers of the webhooks' queues, and opens those anew that fail.

use std::{sync::Arc, time::Duration};

use posthorn_broker::{BrokerError, ConsumerPool, Session};
use posthorn_domain::error_chain::error_chain;
use posthorn_timing::{Backoff, Clock};
use tokio::{
    sync::mpsc::{Sender, error::SendError},
    time::sleep,
};
use tokio_util::task::TaskTracker;

use crate::{consumer::Consumer, recipient::Recipient};

/// Not shorter: a queue that is declared again right after its deletion may keep consumers that the broker
/// delivers nothing to (seen with RabbitMQ 3.10).
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Opens the consumers of one session.
pub(crate) struct ConsumerSupervisor {
    pub(crate) session: Arc<Session>,
    pub(crate) pool: ConsumerPool,
    /// Where open consumers go.
    pub(crate) opened: Sender<Consumer>,
    pub(crate) tasks: TaskTracker,
    pub(crate) clock: Clock,
}

impl ConsumerSupervisor {
    /// Starts what keeps webhooks' queues consumed. A panic in it ends the session: the next one opens all
    /// consumers anew.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(self.session.supervise("consuming webhooks' queues", work));
    }

    /// Opens a webhook's consumer. If that fails, another task tries again.
    pub(crate) async fn open(self: Arc<Self>, recipient: Arc<Recipient>) {
        if let Err(error) = self.try_open(&recipient).await {
            let mut backoff = backoff();
            let pause = pause_after(&error, &mut backoff, self.clock.chance());
            self.open_later(recipient, pause, backoff);
        }
    }

    /// Replaces a consumer that has died, after a pause.
    pub(crate) fn replace(self: &Arc<Self>, dead: Consumer) {
        let mut backoff = backoff();
        let pause = backoff.pause(self.clock.chance());
        self.open_later(dead.recipient, pause, backoff);
    }

    /// Replaces a consumer whose prefetch has changed.
    pub(crate) fn resize(self: &Arc<Self>, consumer: Consumer) {
        let supervisor = self.clone();
        self.spawn(async move {
            let recipient = consumer.recipient.clone();
            consumer.close().await;
            supervisor.open(recipient).await;
        });
    }

    fn open_later(self: &Arc<Self>, recipient: Arc<Recipient>, mut pause: Duration, mut backoff: Backoff) {
        let supervisor = self.clone();
        self.spawn(async move {
            loop {
                tokio::select! {
                    () = recipient.stop.cancelled() => return,
                    () = supervisor.session.ended() => return,
                    () = sleep(pause) => {}
                }
                // In a box: when the connection is lost, every consumer waits here at once.
                match Box::pin(supervisor.try_open(&recipient)).await {
                    Ok(()) => return,
                    Err(error) => pause = pause_after(&error, &mut backoff, supervisor.clock.chance()),
                }
            }
        });
    }

    /// Opens a consumer, unless it is to stop.
    async fn try_open(&self, recipient: &Arc<Recipient>) -> Result<(), BrokerError> {
        let is_wanted = || self.session.is_open() && !recipient.stop.is_cancelled();
        if !is_wanted() {
            return Ok(());
        }
        match Consumer::open(&self.pool, recipient.clone()).await {
            Ok(consumer) => {
                if let Err(SendError(consumer)) = self.opened.send(consumer).await {
                    consumer.close().await;
                }
                Ok(())
            }
            Err(_) if !is_wanted() => Ok(()),
            Err(error) => {
                tracing::error!(webhook.id = %recipient.id(), "delivers nothing to a webhook: {}", error_chain(&error));
                Err(error)
            }
        }
    }
}

fn backoff() -> Backoff {
    Backoff::new(FIRST_PAUSE, LONGEST_PAUSE)
}

fn pause_after(error: &BrokerError, backoff: &mut Backoff, chance: f64) -> Duration {
    if error.is_transient() { backoff.pause(chance) } else { LONGEST_PAUSE }
}
