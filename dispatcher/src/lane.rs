//! A lane: one webhook's consumer, kept alive as long as the webhook is enabled.

use std::{sync::Arc, time::Duration};

use posthorn_broker::{BrokerError, Received, Session, Source};
use posthorn_domain::told::told;
use tokio::{
    sync::{Semaphore, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{channels::Channels, delivery::Line, lanes::Starting, target::Target};

/// Not shorter, for the reason given with `BEFORE_DECLARING` in the router's `orphans`.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Deliveries that a consumer holds for each attempt that may run: while one is being attempted, the
/// last one's consequence is made safe in the broker.
const HELD_PER_ATTEMPT: u16 = 2;

pub(crate) struct Lane {
    pub(crate) session: Arc<Session>,
    pub(crate) line: Arc<Line>,
    pub(crate) channels: Arc<Channels>,
    pub(crate) target: watch::Receiver<Arc<Target>>,
    /// Whether the queue is known to be there.
    pub(crate) is_declared: bool,
    /// Counts the lane as starting until it consumes, or cannot.
    pub(crate) starting: Option<Starting>,
    pub(crate) stop: CancellationToken,
}

/// A running consumer.
struct Consuming {
    source: Source,
    size: u16,
    /// Bounds the attempts that run.
    attempts: Arc<Semaphore>,
}

/// Why a consumer was left.
enum Left {
    /// The lane is to stop.
    Stopped,
    /// The webhook wants another number of attempts at a time.
    Resized,
    /// The consumer is dead.
    Dead,
}

impl Lane {
    /// Consumes until it is stopped or the session ends. A consumer that dies, because its queue was
    /// deleted or its channel failed, is replaced.
    pub(crate) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        while self.session.is_open() && !self.stop.is_cancelled() {
            // In a box, which goes when it is done: the lane itself is there as long as its webhook.
            let consumed = Box::pin(self.consume()).await;
            self.starting = None;
            let left = match consumed {
                Ok(consuming) => {
                    pause = FIRST_PAUSE;
                    self.take(consuming).await
                }
                Err(error) => {
                    if self.session.is_open() && !self.stop.is_cancelled() {
                        tracing::error!(webhook.id = %self.target.borrow().id(), "delivers nothing to a webhook: {}", told(&error));
                    }
                    if !error.is_transient() {
                        pause = LONGEST_PAUSE;
                    }
                    Left::Dead
                }
            };
            match left {
                Left::Stopped => return,
                Left::Resized => {}
                Left::Dead => {
                    self.is_declared = false;
                    tokio::select! {
                        () = self.stop.cancelled() => return,
                        () = self.session.ended() => return,
                        () = sleep(pause) => {}
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn consume(&mut self) -> Result<Consuming, BrokerError> {
        let (id, size) = {
            let target = self.target.borrow_and_update();
            (target.id(), target.webhook.max_in_flight)
        };
        if !self.is_declared {
            self.session.declare_webhook(id).await?;
            self.is_declared = true;
        }
        if self.stop.is_cancelled() {
            return Err(BrokerError::SessionEnded);
        }
        let channel = self.channels.of(id).await?;
        let prefetch = size.saturating_mul(HELD_PER_ATTEMPT);
        let source = channel.consume(&self.session.names().webhook(id), prefetch).await?;
        Ok(Consuming { source, size, attempts: Arc::new(Semaphore::new(size.into())) })
    }

    async fn take(&mut self, consuming: Consuming) -> Left {
        let Consuming { mut source, size, attempts } = consuming;
        let left = loop {
            tokio::select! {
                () = self.stop.cancelled() => break Left::Stopped,
                () = self.session.ended() => return Left::Stopped,
                changed = self.target.changed() => match changed {
                    Ok(()) if self.target.borrow_and_update().webhook.max_in_flight != size => break Left::Resized,
                    Ok(()) => {}
                    Err(_) => break Left::Stopped,
                },
                received = source.next() => match received {
                    Some(received) => self.start(received, &attempts),
                    None => return Left::Dead,
                },
            }
        };
        source.cancel().await;
        left
    }

    fn start(&self, received: Received, attempts: &Arc<Semaphore>) {
        let line = self.line.clone();
        line.start(self.target.clone(), received, attempts.clone(), self.stop.clone());
    }
}
