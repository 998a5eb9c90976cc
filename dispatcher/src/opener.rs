//! Opening lanes, again and again if need be.

use std::{sync::Arc, time::Duration};

use posthorn_broker::{BrokerError, Session};
use posthorn_domain::error_chain::error_chain;
use posthorn_timing::Backoff;
use tokio::{
    sync::mpsc::{Sender, error::SendError},
    time::sleep,
};
use tokio_util::task::TaskTracker;

use crate::{channels::Channels, lane::Lane, recipient::Recipient};

/// Not shorter, for the reason given with `BEFORE_DECLARING` in the router's `orphans`.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Opens the lanes of one session.
pub(crate) struct Opener {
    pub(crate) session: Arc<Session>,
    pub(crate) channels: Channels,
    /// Where open lanes go.
    pub(crate) opened: Sender<Lane>,
    pub(crate) tasks: TaskTracker,
}

impl Opener {
    /// Opens a webhook's lane. If that fails, it is tried again beside.
    pub(crate) async fn open(self: Arc<Self>, recipient: Arc<Recipient>, is_declared: bool) {
        if let Err(error) = self.try_open(&recipient, is_declared).await {
            let mut backoff = backoff();
            let pause = pause_after(&error, &mut backoff);
            self.open_later(recipient, pause, backoff);
        }
    }

    /// Opens the lane anew of one that has died, after a pause.
    pub(crate) fn replace(self: &Arc<Self>, dead: Lane) {
        let mut backoff = backoff();
        let pause = backoff.pause(rand::random());
        self.open_later(dead.recipient, pause, backoff);
    }

    /// Opens a lane anew that is to hold another number of deliveries.
    pub(crate) fn resize(self: &Arc<Self>, lane: Lane) {
        let opener = self.clone();
        self.tasks.spawn(async move {
            let recipient = lane.recipient.clone();
            lane.close().await;
            opener.open(recipient, true).await;
        });
    }

    fn open_later(self: &Arc<Self>, recipient: Arc<Recipient>, mut pause: Duration, mut backoff: Backoff) {
        let opener = self.clone();
        self.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = recipient.stop.cancelled() => return,
                    () = opener.session.ended() => return,
                    () = sleep(pause) => {}
                }
                // In a box: when the connection is lost, every lane waits here at once.
                match Box::pin(opener.try_open(&recipient, false)).await {
                    Ok(()) => return,
                    Err(error) => pause = pause_after(&error, &mut backoff),
                }
            }
        });
    }

    /// Opens a lane, unless it is to stop.
    async fn try_open(&self, recipient: &Arc<Recipient>, is_declared: bool) -> Result<(), BrokerError> {
        let is_wanted = || self.session.is_open() && !recipient.stop.is_cancelled();
        if !is_wanted() {
            return Ok(());
        }
        match Lane::open(&self.session, &self.channels, recipient.clone(), is_declared).await {
            Ok(lane) => {
                if let Err(SendError(lane)) = self.opened.send(lane).await {
                    lane.close().await;
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

fn pause_after(error: &BrokerError, backoff: &mut Backoff) -> Duration {
    if error.is_transient() { backoff.pause(rand::random()) } else { LONGEST_PAUSE }
}
