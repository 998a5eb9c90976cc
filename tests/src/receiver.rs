//! An HTTP receiver on a bare socket, so that it can misbehave: it records what arrives and answers by
//! script.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    Reply, Request,
    conversation::{Seen, serve},
    eventually,
};

/// A receiver of webhooks; stops when dropped.
pub struct Receiver {
    address: SocketAddr,
    seen: Arc<Seen>,
    _server: JoinSet<()>,
}

impl Receiver {
    /// Starts one that answers by this script.
    pub async fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0", script).await
    }

    /// Starts one at this address.
    pub async fn at(address: &str, script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let address = listener.local_addr().expect("a listener has an address");
        let seen = Arc::new(Seen::default());
        let mut server = JoinSet::new();
        server.spawn(serve(listener, seen.clone(), Arc::new(script)));
        Self { address, seen, _server: server }
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.seen.requests().clone()
    }

    /// How many requests have arrived.
    pub fn count(&self) -> usize {
        self.seen.requests().len()
    }

    /// The requests for an event.
    pub fn of(&self, event_id: &str) -> Vec<Request> {
        self.seen.requests().iter().filter(|request| request.id() == event_id).cloned().collect()
    }

    /// The requests to a path.
    pub fn to(&self, path: &str) -> Vec<Request> {
        self.seen.requests().iter().filter(|request| request.path == path).cloned().collect()
    }

    /// The event ids seen at a path, sorted.
    pub fn ids(&self, path: &str) -> Vec<String> {
        let mut ids: Vec<_> = self.to(path).iter().map(|request| request.id().to_owned()).collect();
        ids.sort();
        ids
    }

    /// The ids of the events that were accepted at a path, sorted, each once.
    pub fn accepted(&self, path: &str) -> Vec<String> {
        let requests = self.to(path).into_iter().filter(|request| request.accepted);
        let ids: BTreeSet<_> = requests.map(|request| request.id().to_owned()).collect();
        ids.into_iter().collect()
    }

    /// Requests that have arrived and whose connection still waits for an answer.
    pub fn pending(&self) -> usize {
        self.seen.pending.load(Ordering::SeqCst)
    }

    /// How often someone has connected.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// Waits until so many requests have arrived, and returns them.
    pub async fn receives(&self, count: usize) -> Vec<Request> {
        eventually(&format!("{count} requests arrive"), async || (self.count() >= count).then_some(())).await;
        self.requests()
    }

    /// Waits until so many requests for an event have arrived, and returns them.
    pub async fn receives_of(&self, event_id: &str, count: usize) -> Vec<Request> {
        let what = format!("{count} requests for {event_id} arrive");
        eventually(&what, async || Some(self.of(event_id)).filter(|requests| requests.len() >= count)).await
    }
}
