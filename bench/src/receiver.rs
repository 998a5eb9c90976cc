//! The receiver: counts, checks and takes latency from the stamp in the event.

use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock, atomic::Ordering::Relaxed},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, Response, StatusCode, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use posthorn_domain::signature::Secret;
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

use crate::{
    event,
    setup::{Kind, LATE},
    tally::Tally,
};

/// Of so many signatures one is verified: all would cost as much as the rest of the receiver.
const VERIFY_ONE_IN: u64 = 64;

/// Webhooks are on many hosts, as in life: each has its own connections.
const HOSTS: u8 = 100;

/// An HTTP server on many addresses of loopback.
pub(crate) struct Receiver {
    pub(crate) hosts: Hosts,
    current: Arc<Current>,
    _server: JoinSet<()>,
}

/// Where the receiver listens: 127.0.0.1 to 127.0.0.100, on one port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hosts {
    pub(crate) port: u16,
}

impl Hosts {
    /// A webhook's address.
    pub(crate) fn of(self, webhook: usize) -> SocketAddr {
        let host = (webhook % usize::from(HOSTS)) as u8 + 1;
        SocketAddr::from(([127, 0, 0, host], self.port))
    }
}

struct Current {
    tally: RwLock<Option<Arc<Tally>>>,
    secret: Secret,
}

impl Receiver {
    pub(crate) async fn start(secret: Secret) -> anyhow::Result<Self> {
        let current = Arc::new(Current { tally: RwLock::default(), secret });
        let mut server = JoinSet::new();
        let mut hosts = Hosts { port: 0 };
        for host in 0..usize::from(HOSTS) {
            let listener = TcpListener::bind(hosts.of(host)).await?;
            hosts.port = listener.local_addr()?.port();
            server.spawn(serve(listener, current.clone()));
        }
        Ok(Self { hosts, current, _server: server })
    }

    /// From now on requests count for this run; those of others are ignored.
    pub(crate) fn count(&self, tally: Option<Arc<Tally>>) {
        *self.current.tally.write().unwrap_or_else(PoisonError::into_inner) = tally;
    }
}

async fn serve(listener: TcpListener, current: Arc<Current>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                // As every server does that cares for latency.
                let _ = stream.set_nodelay(true);
                let current = current.clone();
                let service = service_fn(move |request| answer(current.clone(), request));
                connections.spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    // A sender that gives up has closed its connection.
                    let _ = connection.await;
                });
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(
    current: Arc<Current>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let now = event::micros();
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut response = Response::new(Full::default());
    let path = head.uri.path();
    if path.starts_with("/hang") {
        return std::future::pending().await;
    }
    if path.starts_with("/fail") {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return Ok(response);
    }
    current.take(&head.headers, &body, now);
    if path.starts_with("/late") {
        sleep(LATE).await;
    }
    Ok(response)
}

impl Current {
    fn take(&self, headers: &HeaderMap, body: &[u8], now: u64) {
        let tally = self.tally.read().unwrap_or_else(PoisonError::into_inner).clone();
        // The ceiling's mover sends the id itself, before a body that is not JSON.
        let id = event::id_in(body).unwrap_or_else(|| text(headers, "webhook-id"));
        let (Some(tally), Some((run, number))) = (tally, event::read_id(id)) else { return };
        if run != tally.run {
            return;
        }
        let is_signed =
            tally.setup.kind == Kind::Ceiling || number % VERIFY_ONE_IN != 0 || self.verifies(headers, body);
        match event::due(body).filter(|_| is_signed && body.len() >= tally.setup.payload) {
            Some(due) => tally.arrived(number, now.saturating_sub(due)),
            None => _ = tally.wrong.fetch_add(1, Relaxed),
        }
    }

    fn verifies(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let timestamp = text(headers, "webhook-timestamp").parse();
        let id = text(headers, "webhook-id");
        timestamp.is_ok_and(|timestamp| {
            self.secret.verifies(id, timestamp, body, text(headers, "webhook-signature"))
        })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
