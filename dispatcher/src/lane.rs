//! A lane: the consumer of one webhook's queue, kept alive as long as the webhook is enabled.

use std::{sync::Arc, time::Duration};

use posthorn_broker::{BrokerError, Session, Source};
use posthorn_domain::told::told;
use tokio::time::sleep;

use crate::{
    channels::Channels,
    delivery::Line,
    lanes::Starting,
    recipient::{HELD_PER_ATTEMPT, Recipient},
};

/// Not shorter, for the reason given with `BEFORE_DECLARING` in the router's `orphans`.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

pub(crate) struct Lane {
    pub(crate) session: Arc<Session>,
    pub(crate) line: Arc<Line>,
    pub(crate) channels: Arc<Channels>,
    pub(crate) recipient: Arc<Recipient>,
    /// Whether the queue is known to be there.
    pub(crate) is_declared: bool,
    /// Counts the lane as starting until it consumes, or cannot.
    pub(crate) starting: Option<Starting>,
}

/// A running consumer. In a box, as are the waits: there are as many lanes as webhooks, nearly all of
/// them idle, and a task is as big as its biggest moment.
struct Consuming {
    source: Box<Source>,
    /// The attempts that the webhook wants at a time.
    size: u16,
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
        while self.session.is_open() && !self.recipient.stop.is_cancelled() {
            let consumed = Box::pin(self.consume()).await;
            self.starting = None;
            let left = match consumed {
                Ok(consuming) => {
                    pause = FIRST_PAUSE;
                    self.take(consuming).await
                }
                Err(error) => {
                    if self.session.is_open() && !self.recipient.stop.is_cancelled() {
                        tracing::error!(webhook.id = %self.recipient.target().id(), "delivers nothing to a webhook: {}", told(&error));
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
                        () = self.recipient.stop.cancelled() => return,
                        () = self.session.ended() => return,
                        () = Box::pin(sleep(pause)) => {}
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn consume(&mut self) -> Result<Consuming, BrokerError> {
        let target = self.recipient.target();
        let (id, size) = (target.id(), target.webhook.max_in_flight);
        if !self.is_declared {
            self.session.declare_webhook(id).await?;
            self.is_declared = true;
        }
        if self.recipient.stop.is_cancelled() {
            return Err(BrokerError::SessionEnded);
        }
        let channel = self.channels.of(id).await?;
        let prefetch = size.saturating_mul(HELD_PER_ATTEMPT);
        let source = channel.consume(&self.session.names().webhook(id), prefetch).await?;
        Ok(Consuming { source: Box::new(source), size })
    }

    async fn take(&mut self, consuming: Consuming) -> Left {
        let Consuming { mut source, size } = consuming;
        let left = loop {
            tokio::select! {
                () = self.recipient.stop.cancelled() => break Left::Stopped,
                () = self.session.ended() => return Left::Stopped,
                () = self.recipient.resized.notified() => {
                    if self.recipient.target().webhook.max_in_flight != size {
                        break Left::Resized;
                    }
                }
                received = source.next() => match received {
                    Some(received) => self.line.start_message(&self.recipient, received),
                    None => return Left::Dead,
                },
            }
        };
        Box::pin(source.cancel()).await;
        left
    }
}
