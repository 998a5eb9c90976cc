//! Listens for one trap, and converses with a bounded number of clients for a bounded time.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    catalogue::Behaviour,
    certificates::Authority,
    http2::{self, Manner},
    peer::{Peer, Seen},
    script::{Ending, ONCE_OK, Step, follow},
    tls::{self, Certificate},
};

/// How many clients a trap talks to at a time.
const MOST_CONVERSATIONS: usize = 256;
/// Before the next client, if there is no room for one in the process.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// A behaviour that is ready for clients.
pub(crate) enum Receiver {
    Plain(&'static [Step]),
    Tls(Arc<ServerConfig>, &'static [Step]),
    SlowTls(Arc<ServerConfig>),
    Http2(Arc<ServerConfig>, Manner),
}

/// How long a conversation may last, and how much may be written in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) patience: Duration,
    pub(crate) most_bytes: u64,
}

impl Receiver {
    /// Makes ready.
    pub(crate) fn new(behaviour: &'static Behaviour, authority: &Authority) -> io::Result<Self> {
        Ok(match behaviour {
            Behaviour::Plain(script) | Behaviour::NoTls(script) => Self::Plain(script),
            Behaviour::Named(_) => Self::Plain(ONCE_OK),
            Behaviour::Tls(certificate, script) => {
                Self::Tls(certificate.config(authority, &["http/1.1"])?, script)
            }
            Behaviour::SlowTls => Self::SlowTls(Certificate::Good.config(authority, &["http/1.1"])?),
            Behaviour::Http2(manner) => {
                Self::Http2(Certificate::Good.config(authority, &["h2", "http/1.1"])?, *manner)
            }
        })
    }

    /// Converses with all who come.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, seen: Arc<Seen>, bounds: Bounds) {
        let mut conversations = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if conversations.len() < MOST_CONVERSATIONS => {
                    let Ok((stream, _)) = accepted else {
                        sleep(PAUSE).await;
                        continue;
                    };
                    let number = seen.connections.fetch_add(1, Ordering::SeqCst);
                    let (receiver, seen) = (self.clone(), seen.clone());
                    // Whatever ends a conversation, nobody is left to be told.
                    conversations.spawn(async move {
                        timeout(bounds.patience, receiver.converse(stream, number, &seen, bounds)).await.is_ok()
                    });
                }
                Some(_) = conversations.join_next() => {}
            }
        }
    }

    async fn converse(
        &self,
        stream: TcpStream,
        number: usize,
        seen: &Seen,
        bounds: Bounds,
    ) -> io::Result<()> {
        stream.set_nodelay(true)?;
        match self {
            Self::Plain(script) => {
                let mut peer = Peer::new(stream, seen, bounds.most_bytes);
                let ending = follow(&mut peer, script).await?;
                end_plain(peer.stream, ending).await
            }
            Self::SlowTls(config) => {
                let mut peer = Peer::new(stream, seen, bounds.most_bytes);
                let ending = tls::drip(&mut peer, config.clone()).await?;
                end_plain(peer.stream, ending).await
            }
            Self::Tls(config, script) => {
                let stream = TlsAcceptor::from(config.clone()).accept(stream).await?;
                let mut peer = Peer::new(stream, seen, bounds.most_bytes);
                match follow(&mut peer, script).await? {
                    Ending::Closed => peer.stream.shutdown().await,
                    ending @ (Ending::Cut | Ending::Reset) => {
                        end_plain(peer.stream.into_inner().0, ending).await
                    }
                }
            }
            Self::Http2(config, manner) => {
                let mut first = [0];
                stream.peek(&mut first).await?;
                if first[0] == TLS_HANDSHAKE {
                    let stream = TlsAcceptor::from(config.clone()).accept(stream).await?;
                    let mut peer = Peer::new(stream, seen, bounds.most_bytes);
                    http2::converse(&mut peer, *manner, number).await?;
                    return peer.stream.shutdown().await;
                }
                let mut peer = Peer::new(stream, seen, bounds.most_bytes);
                http2::converse(&mut peer, *manner, number).await?;
                peer.stream.shutdown().await
            }
        }
    }
}

/// The first byte of a TLS connection.
const TLS_HANDSHAKE: u8 = 0x16;

async fn end_plain(mut stream: TcpStream, ending: Ending) -> io::Result<()> {
    match ending {
        Ending::Closed | Ending::Cut => stream.shutdown().await,
        Ending::Reset => stream.set_zero_linger(),
    }
}
