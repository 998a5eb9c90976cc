//! A receiver's side of its connections.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::interval,
};

use crate::{Reply, Request, Then, http};

const TRICKLE_PACE: Duration = Duration::from_millis(100);

/// Decides what to reply to a request.
pub(crate) type Script = dyn Fn(&Request) -> Reply + Send + Sync;

/// What has arrived.
#[derive(Default)]
pub(crate) struct Seen {
    requests: Mutex<Vec<Request>>,
    /// Connections ever made.
    pub(crate) connections: AtomicUsize,
    /// Requests whose reply isn't written yet.
    pub(crate) pending: AtomicUsize,
}

impl Seen {
    pub(crate) fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request, whose reply is pending from now on, and returns its place.
    fn arrived(&self, request: Request) -> usize {
        self.pending.fetch_add(1, Ordering::SeqCst);
        let mut requests = self.requests();
        requests.push(request);
        requests.len() - 1
    }
}

/// Converses on every connection that comes.
pub(crate) async fn serve(listener: TcpListener, seen: Arc<Seen>, script: Arc<Script>) {
    let mut conversations = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.expect("connections can be accepted");
                seen.connections.fetch_add(1, Ordering::SeqCst);
                let (seen, script) = (seen.clone(), script.clone());
                // A broken connection is the sender's matter, and what the tests look at is recorded.
                conversations.spawn(async move { converse(stream, &seen, &*script).await.is_ok() });
            }
            Some(_) = conversations.join_next() => {}
        }
    }
}

async fn converse(mut stream: TcpStream, seen: &Seen, script: &Script) -> io::Result<()> {
    let mut unread = Vec::new();
    while let Some(message) = http::read_message(&mut stream, &mut unread).await? {
        let request = Request::now(message);
        let reply = script(&request);
        let number = seen.arrived(request);
        let behaved = behave(&mut stream, reply, || seen.requests()[number].accepted = true).await;
        seen.pending.fetch_sub(1, Ordering::SeqCst);
        match behaved? {
            Then::KeepAlive => {}
            Then::Reset => return stream.set_zero_linger(),
            _ => return Ok(()),
        }
    }
    Ok(())
}

async fn behave(stream: &mut TcpStream, reply: Reply, accepted: impl FnOnce()) -> io::Result<Then> {
    let (bytes, then) = reply.ready().await;
    stream.write_all(&bytes).await?;
    if bytes.starts_with(b"HTTP/1.1 2") {
        accepted();
    }
    match then {
        Then::KeepAlive | Then::Close | Then::Reset => {}
        Then::Silence => while stream.read(&mut [0; 64]).await? > 0 {},
        Then::Trickle(more) => {
            let mut pace = interval(TRICKLE_PACE);
            loop {
                pace.tick().await;
                stream.write_all(more).await?;
            }
        }
        Then::Flood(more) => loop {
            stream.write_all(more).await?;
        },
    }
    Ok(then)
}
