//! A lane: one webhook's consumer, kept alive as long as the webhook is enabled.

use std::{sync::Arc, time::Duration};

use posthorn_broker::{BrokerError, Received, Session, Source};
use posthorn_domain::told::told;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{channels::Channels, delivery::Line, target::Target};

/// Not shorter, for the reason given with `BEFORE_DECLARING` in the router's `orphans`.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

pub(crate) struct Lane {
    pub(crate) session: Arc<Session>,
    pub(crate) line: Arc<Line>,
    pub(crate) channels: Arc<Channels>,
    pub(crate) target: watch::Receiver<Arc<Target>>,
    pub(crate) stop: CancellationToken,
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
            let left = match self.consume().await {
                Ok(source) => {
                    pause = FIRST_PAUSE;
                    self.take(source).await
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

    async fn consume(&self) -> Result<Source, BrokerError> {
        let (id, prefetch) = {
            let target = self.target.borrow();
            (target.id(), target.webhook.max_in_flight)
        };
        self.session.declare_webhook(id).await?;
        if self.stop.is_cancelled() {
            return Err(BrokerError::SessionEnded);
        }
        let channel = self.channels.of(id).await?;
        channel.consume(&self.session.names().webhook(id), prefetch).await
    }

    async fn take(&mut self, mut source: Source) -> Left {
        let size = self.target.borrow_and_update().webhook.max_in_flight;
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
                    Some(received) => self.start(received),
                    None => return Left::Dead,
                },
            }
        };
        source.cancel().await;
        left
    }

    /// The queue's prefetch bounds how many run.
    fn start(&self, received: Received) {
        let target = self.target.borrow().clone();
        self.line.clone().start(target, received, self.stop.clone());
    }
}
