//! The publisher: one owner task for each confirming channel.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use posthorn_domain::error_chain::error_chain;
use posthorn_publisher::confirm::{ConfirmChannel, Publication};
use posthorn_timing::failpoint;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::timeout,
};

use crate::{
    error::{BrokerError, answered},
    message::Outgoing,
    names::Names,
    session::Session,
};

/// The most publications without confirm on a channel.
const MOST_IN_FLIGHT: usize = 2000;
/// Bytes of the publications without confirm on a channel; a larger one goes alone. Each is held twice:
/// as it was handed over, and in the frames that lapin has made of it.
const MOST_BYTES_IN_FLIGHT: usize = 32 << 20;
/// How long a confirm may take. While the broker is blocked by an alarm it may take for ever: ending
/// the session would only make other tasks do their work again.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

const UNCONFIRMED: &str = "no publisher confirm in 30 s";

struct Request {
    publication: Publication,
    confirmed: Confirmed,
}

/// Tells that a publication is confirmed. Its bytes count until then.
struct Confirmed {
    teller: oneshot::Sender<()>,
    _bytes: OwnedSemaphorePermit,
}

/// Publishes on a channel of its own. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    requests: mpsc::Sender<Request>,
    bytes: Arc<Semaphore>,
    names: Arc<Names>,
}

/// Resolves when the broker has the message safely.
#[must_use = "a message counts as published only once it is confirmed"]
pub struct Confirm(oneshot::Receiver<()>);

impl Session {
    /// Opens a channel for publishing.
    ///
    /// # Errors
    /// If the broker refuses or is gone.
    pub async fn publisher(self: &Arc<Self>) -> Result<Publisher, BrokerError> {
        let channel = self.confirm_channel().await?;
        let (requests, queue) = mpsc::channel(MOST_IN_FLIGHT);
        self.spawn("a publisher", own(self.clone(), channel, queue));
        let bytes = Arc::new(Semaphore::new(MOST_BYTES_IN_FLIGHT));
        Ok(Publisher { requests, bytes, names: Arc::new(self.topology.names.clone()) })
    }

    /// Waits until the broker has confirmed a batch and a journal batch, both empty: nothing is in the way
    /// of an event, then.
    ///
    /// # Errors
    /// If the session ended before.
    pub async fn prove_way(self: &Arc<Self>) -> Result<(), BrokerError> {
        let publisher = self.publisher().await?;
        for empty in [Outgoing::Batch(Bytes::new()), Outgoing::Journal(Bytes::new())] {
            publisher.send(empty).await?;
        }
        Ok(())
    }

    async fn confirm_channel<T: Send + 'static>(&self) -> Result<ConfirmChannel<T>, BrokerError> {
        answered("open a channel", ConfirmChannel::open(&self.publishing)).await
    }
}

impl Publisher {
    /// Sends a message and waits for its confirm.
    ///
    /// # Errors
    /// If the session ended before: the message may or may not have arrived.
    pub async fn send(&self, outgoing: Outgoing) -> Result<(), BrokerError> {
        self.publish(outgoing).await?.wait().await
    }

    /// Hands a message over, in order. Waits while 2000, or 32 MiB, are unconfirmed.
    ///
    /// # Errors
    /// If the session has ended.
    pub async fn publish(&self, outgoing: Outgoing) -> Result<Confirm, BrokerError> {
        let publication = outgoing.publication(&self.names);
        let bytes = publication.body.len().min(MOST_BYTES_IN_FLIGHT) as u32;
        let room = self.bytes.clone().acquire_many_owned(bytes);
        let room = tokio::select! {
            room = room => room.expect("the semaphore is never closed"),
            () = self.requests.closed() => return Err(BrokerError::SessionEnded),
        };
        let (teller, confirm) = oneshot::channel();
        let confirmed = Confirmed { teller, _bytes: room };
        let sent = self.requests.send(Request { publication, confirmed }).await;
        sent.map(|()| Confirm(confirm)).map_err(|_| BrokerError::SessionEnded)
    }
}

impl Confirm {
    /// Waits for the confirm.
    ///
    /// # Errors
    /// If the session ended before: the message may or may not have arrived.
    pub async fn wait(self) -> Result<(), BrokerError> {
        self.0.await.map_err(|_| BrokerError::SessionEnded)
    }
}

async fn own(
    session: Arc<Session>,
    mut channel: ConfirmChannel<Confirmed>,
    mut requests: mpsc::Receiver<Request>,
) {
    let mut batch = Vec::new();
    let mut progress = Instant::now();
    loop {
        let room = MOST_IN_FLIGHT - channel.in_flight();
        let waits = channel.in_flight() > 0;
        tokio::select! {
            () = session.ended() => return,
            taken = requests.recv_many(&mut batch, room), if room > 0 => {
                if taken == 0 {
                    return drain(&session, channel).await;
                }
                if !waits {
                    progress = Instant::now();
                }
                failpoint("broker.publish");
                for request in batch.drain(..) {
                    channel.publish(request.publication, request.confirmed);
                }
            }
            confirmed = timeout(CONFIRM_TIMEOUT, channel.confirmed()), if waits => match confirmed {
                Ok(Ok(tokens)) => {
                    progress = Instant::now();
                    tokens.into_iter().for_each(confirm);
                }
                Ok(Err(error)) => return session.fail(error_chain(&error)),
                Err(_) => {}
            },
        }
        if session.is_blocked() {
            progress = Instant::now();
        } else if channel.in_flight() > 0 && progress.elapsed() > CONFIRM_TIMEOUT {
            return session.fail(UNCONFIRMED);
        }
    }
}

/// Nobody publishes any more: waits for the confirms that are due.
async fn drain(session: &Session, mut channel: ConfirmChannel<Confirmed>) {
    while channel.in_flight() > 0 {
        tokio::select! {
            () = session.ended() => return,
            confirmed = confirmed(session, &mut channel) => match confirmed {
                Ok(tokens) => tokens.into_iter().for_each(confirm),
                Err(reason) => return session.fail(reason),
            },
        }
    }
}

/// Waits for confirms, no longer than they may take; or why the session must end.
async fn confirmed<T: Send + 'static>(
    session: &Session,
    channel: &mut ConfirmChannel<T>,
) -> Result<Vec<T>, String> {
    loop {
        match timeout(CONFIRM_TIMEOUT, channel.confirmed()).await {
            Ok(confirmed) => return confirmed.map_err(|error| error_chain(&error)),
            Err(_) if session.is_blocked() => {}
            Err(_) => return Err(UNCONFIRMED.to_owned()),
        }
    }
}

fn confirm(confirmed: Confirmed) {
    // Whoever published may have gone: the message is in the broker all the same.
    let _ = confirmed.teller.send(());
}
