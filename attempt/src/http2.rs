//! HTTP/2: connections that several attempts share, each with a stream of its own.

use std::{
    future::{Future, poll_fn},
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use h2::{
    RecvStream,
    client::{Builder, Connection, SendRequest},
};
use posthorn_domain::outcome::UnreachableClass;
use tokio::task::JoinSet;

use crate::{
    answer::Beginning,
    dial::{Dialled, Io},
    failure::Failure,
    http1::{MOST_BODY, MOST_INTERIM},
    request::Signed,
};

/// Bytes of an answer's headers, counted as RFC 9113, 10.5.1, does.
const MOST_HEADERS: u32 = 64 << 10;
/// Streams at a time on a connection, if the receiver allows more.
const MOST_STREAMS: usize = 100;

/// A connection that attempts share.
pub(crate) struct Shared {
    sender: SendRequest<Bytes>,
    address: IpAddr,
    streams: AtomicUsize,
    /// No new stream is opened on it: it has ended, or did not answer.
    is_retired: AtomicBool,
    /// How many looks in a row found it idle.
    idle_looks: AtomicU32,
}

/// The right to one stream of a connection. One that ends without an answer retires the connection: who
/// knows whether it still carries anything.
pub(crate) struct Stream {
    shared: Arc<Shared>,
    is_answered: bool,
}

/// An answer whose status is known.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    body: RecvStream,
    stream: Stream,
}

/// Drives the connections; they end with it.
#[derive(Default)]
pub(crate) struct Drivers(Mutex<JoinSet<()>>);

impl Drivers {
    /// Makes a connection ready.
    pub(crate) async fn start(&self, dialled: Dialled) -> Result<Arc<Shared>, Failure> {
        let mut builder = Builder::new();
        builder.enable_push(false).max_header_list_size(MOST_HEADERS).initial_window_size(MOST_BODY as u32);
        let started = builder.handshake(dialled.stream).await;
        let (sender, connection) = started.map_err(|error| Failure::http2(&error))?;
        let shared = Arc::new(Shared {
            sender,
            address: dialled.address,
            streams: AtomicUsize::new(0),
            is_retired: AtomicBool::new(false),
            idle_looks: AtomicU32::new(0),
        });
        let mut drivers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while drivers.try_join_next().is_some() {}
        drivers.spawn(drive(connection, Arc::downgrade(&shared)));
        Ok(shared)
    }
}

/// Drives a connection until it ends or is held by no attempt and no pool.
async fn drive(connection: Connection<Box<dyn Io>, Bytes>, shared: std::sync::Weak<Shared>) {
    // Each of its streams gets the error, too.
    let _ = connection.await;
    if let Some(shared) = shared.upgrade() {
        shared.is_retired.store(true, Relaxed);
    }
}

impl Shared {
    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired.load(Relaxed)
    }

    pub(crate) fn streams(&self) -> usize {
        self.streams.load(Relaxed)
    }

    pub(crate) fn has_room(&self) -> bool {
        self.streams() < self.sender.current_max_send_streams().min(MOST_STREAMS)
    }

    /// How long it has been idle, by the number of calls that found it so; called once in each `every`.
    pub(crate) fn idle_for(&self, every: Duration) -> Duration {
        match self.streams() {
            0 => every * (self.idle_looks.fetch_add(1, Relaxed)),
            _ => Duration::ZERO,
        }
    }
}

impl Stream {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.streams.fetch_add(1, Relaxed);
        shared.idle_looks.store(0, Relaxed);
        Self { shared, is_answered: false }
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.shared.address
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn exchange(mut self, request: &Signed<'_>) -> Result<Answered, Failure> {
        let exchanged = self.send(request).await;
        self.is_answered = exchanged.as_ref().map_or_else(|ended| ended.connection_lives, |_| true);
        let (head, body) = exchanged.map_err(|ended| ended.failure)?.into_parts();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
        Ok(Answered { status: head.status.as_u16(), headers: headers.collect(), body, stream: self })
    }

    async fn send(&self, request: &Signed<'_>) -> Result<http::Response<RecvStream>, Ended> {
        let head = request.http2().ok_or_else(Ended::unwritable)?;
        let mut sender = self.shared.sender.clone().ready().await.map_err(Ended::unsent)?;
        let (mut response, mut stream) = sender.send_request(head, false).map_err(Ended::unsent)?;
        // What the receiver does not take yet is held, not copied.
        stream.send_data(request.body(), true)?;
        let mut interim = 0;
        poll_fn(|context| {
            while let Poll::Ready(Some(Ok(_))) = response.poll_informational(context) {
                interim += 1;
                if interim > MOST_INTERIM {
                    let failure = Failure::only_interim(MOST_INTERIM);
                    return Poll::Ready(Err(Ended { failure, connection_lives: false }));
                }
            }
            Pin::new(&mut response).poll(context).map_err(Ended::from)
        })
        .await
    }
}

/// How a stream ended that has no answer.
struct Ended {
    failure: Failure,
    /// Only the stream was ended.
    connection_lives: bool,
}

impl Ended {
    fn unwritable() -> Self {
        let failure = Failure::new(UnreachableClass::InvalidReply, "its URL cannot be written in HTTP/2");
        Self { failure, connection_lives: true }
    }

    /// Before anything of the request was sent.
    fn unsent(error: h2::Error) -> Self {
        let ended = Self::from(error);
        Self { failure: ended.failure.unprocessed(), ..ended }
    }
}

impl From<h2::Error> for Ended {
    fn from(error: h2::Error) -> Self {
        Self { failure: Failure::http2(&error), connection_lives: error.is_reset() && error.is_remote() }
    }
}

impl Answered {
    /// Reads the body, as far as it is read at all. If it is given up, what has come stays in `body`, and
    /// the connection is retired.
    pub(crate) async fn read_body(&mut self, body: &mut Beginning) {
        self.stream.is_answered = false;
        let mut count = 0;
        while count < MOST_BODY {
            let Some(Ok(bytes)) = self.body.data().await else { break };
            count += bytes.len();
            body.add(&bytes);
            // An error means that the stream has ended.
            let _ = self.body.flow_control().release_capacity(bytes.len());
        }
        self.stream.is_answered = true;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.streams.fetch_sub(1, Relaxed);
        if !self.is_answered {
            self.shared.is_retired.store(true, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
