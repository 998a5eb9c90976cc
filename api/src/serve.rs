//! Connections to the API: so many, none of them for nothing.
//!
//! A connection that has no request is closed after a while, and at once if another one needs its place. So
//! whoever opens many and sends nothing, or half a header, keeps nobody out.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;

use crate::metrics;

/// How long the first request of a connection may take to begin.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// How long what was answered last may take to be sent, on a connection that is to be closed.
const LAST_BYTES: Duration = Duration::from_millis(100);
/// How long to wait after the system had no file or memory for a connection.
const PAUSE: Duration = Duration::from_millis(100);
/// The most bytes of a request's head, and how many headers it has.
const MOST_HEAD_BYTES: usize = 64 << 10;
const MOST_HEADERS: usize = 100;

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Bounds of connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many there are at a time.
    pub(crate) connections: usize,
    /// How long one may have no request.
    pub(crate) idle: Duration,
}

/// Serves until `stop`, then finishes what runs.
pub(crate) async fn serve(listener: TcpListener, app: Router, limits: Limits, stop: &CancellationToken) {
    let places = Arc::new(Places::default());
    let running = TaskTracker::new();
    while let Some(Some((stream, peer))) = stop.run_until_cancelled(next(&listener, &places, limits)).await {
        let place = places.take();
        running.spawn(connection(stream, peer, app.clone(), place, limits.idle, stop.clone()));
    }
    drop(listener);
    running.close();
    running.wait().await;
}

/// The next connection, once there is room for it; `None` never.
async fn next(listener: &TcpListener, places: &Places, limits: Limits) -> Option<(TcpStream, SocketAddr)> {
    loop {
        places.make_room(limits.connections).await;
        match listener.accept().await {
            Ok(accepted) => return Some(accepted),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!("cannot take a connection to the API: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    place: Place,
    idle: Duration,
    stop: CancellationToken,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|mut request: Request<Incoming>| {
        let busy = place.busy();
        request.extensions_mut().insert(Peer(peer.ip()));
        let answering = app.clone().call(request.map(Body::new));
        async {
            let answer: Result<_, Infallible> = answering.await;
            drop(busy);
            answer
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(MOST_HEAD_BYTES)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let told = tokio::select! {
        // What a client does wrong with a connection is nobody's but its own.
        _ = serving.as_mut() => return,
        () = place.evicted.cancelled() => "another needs its place",
        () = place.never_used() => "no request has begun",
        () = stop.cancelled() => "the API stops",
    };
    tracing::debug!("closing a connection: {told}");
    serving.as_mut().graceful_shutdown();
    loop {
        match timeout(LAST_BYTES, serving.as_mut()).await {
            Err(_) if place.is_busy() => {}
            Ok(_) | Err(_) => return,
        }
    }
}

/// The places of connections.
#[derive(Debug, Default)]
struct Places {
    taken: Mutex<Taken>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    last: u64,
    places: HashMap<u64, State>,
}

#[derive(Debug)]
struct State {
    requests: usize,
    /// Since when it has had no request.
    idle_since: Instant,
    is_used: bool,
    evicted: CancellationToken,
}

/// The place of one connection.
struct Place {
    places: Arc<Places>,
    number: u64,
    evicted: CancellationToken,
}

/// A request that runs on a connection.
struct Busy {
    places: Arc<Places>,
    number: u64,
}

impl Places {
    fn take(self: &Arc<Self>) -> Place {
        let evicted = CancellationToken::new();
        let state =
            State { requests: 0, idle_since: Instant::now(), is_used: false, evicted: evicted.clone() };
        let number = self.change(|taken| {
            taken.last += 1;
            taken.places.insert(taken.last, state);
            taken.last
        });
        Place { places: self.clone(), number, evicted }
    }

    /// Waits until there are fewer than `most`, and has the connection closed that has been idle longest.
    async fn make_room(&self, most: usize) {
        loop {
            let changed = self.changed.notified();
            let is_full = self.change(|taken| {
                let is_full = taken.places.len() >= most;
                let idle = taken.places.values().filter(|state| state.requests == 0);
                if is_full && let Some(longest) = idle.min_by_key(|state| state.idle_since) {
                    longest.evicted.cancel();
                }
                is_full
            });
            if !is_full {
                return;
            }
            changed.await;
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Taken) -> T) -> T {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut taken);
        metrics::connections(taken.places.len());
        changed
    }
}

impl Place {
    fn busy(&self) -> Busy {
        self.places.change(|taken| {
            if let Some(state) = taken.places.get_mut(&self.number) {
                state.requests += 1;
                state.is_used = true;
            }
        });
        Busy { places: self.places.clone(), number: self.number }
    }

    fn is_busy(&self) -> bool {
        self.places.change(|taken| taken.places.get(&self.number).is_some_and(|state| state.requests > 0))
    }

    /// Ends when no request has begun for long; never if one has.
    async fn never_used(&self) {
        sleep(FIRST_REQUEST).await;
        if self.places.change(|taken| taken.places.get(&self.number).is_some_and(|state| state.is_used)) {
            std::future::pending().await
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.change(|taken| drop(taken.places.remove(&self.number)));
        self.places.changed.notify_waiters();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.places.change(|taken| {
            if let Some(state) = taken.places.get_mut(&self.number) {
                state.requests -= 1;
                state.idle_since = Instant::now();
            }
        });
        self.places.changed.notify_waiters();
    }
}
