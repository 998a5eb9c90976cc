//! A name server whose answers misbehave, over UDP and TCP.

mod message;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    catalogue::{self, Behaviour},
    lookup::Lookup,
    server::PAUSE,
};
use message::Query;

/// The domain of all names that are traps.
pub(crate) const DOMAIN: &str = "traps.example.com";
const MOST_CONVERSATIONS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(30);

/// A server for all names.
pub(crate) struct NameServer {
    udp: UdpSocket,
    tcp: TcpListener,
    /// How often the name that rebinds was looked up.
    rebound: Arc<AtomicUsize>,
}

impl NameServer {
    /// Binds both sockets to one port.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let mut tries = 0;
        loop {
            let tcp = TcpListener::bind(address).await?;
            tries += 1;
            match UdpSocket::bind(tcp.local_addr()?).await {
                Ok(udp) => return Ok(Self { udp, tcp, rebound: Arc::default() }),
                Err(error) if address.port() != 0 || tries > 9 => return Err(error),
                Err(_) => {}
            }
        }
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Answers all that ask.
    pub(crate) async fn serve(self) {
        let mut conversations = JoinSet::new();
        let mut packet = [0; 1500];
        loop {
            tokio::select! {
                received = self.udp.recv_from(&mut packet) => {
                    let Ok((length, client)) = received else { continue };
                    if let Some(answer) = answer(&packet[..length], false, &self.rebound) {
                        // Who does not take the answer has gone.
                        let _ = self.udp.send_to(&answer, client).await;
                    }
                }
                accepted = self.tcp.accept(), if conversations.len() < MOST_CONVERSATIONS => {
                    let Ok((stream, _)) = accepted else {
                        sleep(PAUSE).await;
                        continue;
                    };
                    let rebound = self.rebound.clone();
                    conversations.spawn(async move { timeout(PATIENCE, converse(stream, &rebound)).await.is_ok() });
                }
                Some(_) = conversations.join_next() => {}
            }
        }
    }
}

async fn converse(mut stream: TcpStream, rebound: &AtomicUsize) -> io::Result<()> {
    loop {
        let mut packet = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut packet).await?;
        match answer(&packet, true, rebound) {
            Some(answer) => {
                stream.write_u16(answer.len() as u16).await?;
                stream.write_all(&answer).await?;
            }
            None => while stream.read(&mut packet).await? > 0 {},
        }
    }
}

fn answer(packet: &[u8], over_tcp: bool, rebound: &AtomicUsize) -> Option<Vec<u8>> {
    let query = Query::read(packet)?;
    let Some(lookup) = named(&query.name) else { return Some(query.fails(message::NO_SUCH_NAME)) };
    let asked_before = if lookup == Lookup::Rebinds && query.wants_v4() {
        rebound.fetch_add(1, Ordering::SeqCst)
    } else {
        0
    };
    lookup.answer(&query, over_tcp, asked_before)
}

/// The trap of this name.
fn named(name: &str) -> Option<Lookup> {
    if name.eq_ignore_ascii_case("localhost") {
        return Some(Lookup::Localhost);
    }
    let label = name.split('.').next()?;
    catalogue::all().iter().find_map(|trap| match trap.behaviour {
        Behaviour::Named(lookup) if trap.name.eq_ignore_ascii_case(label) => Some(lookup),
        _ => None,
    })
}

impl Lookup {
    fn answer(self, query: &Query<'_>, over_tcp: bool, asked_before: usize) -> Option<Vec<u8>> {
        match self {
            Self::Silent => None,
            Self::Absent => Some(query.fails(message::NO_SUCH_NAME)),
            Self::Fails => Some(query.fails(message::SERVER_FAILS)),
            Self::Garbage => Some([&query.id()[..], &[0xff; 40]].concat()),
            Self::Circle => Some(query.stands_for_itself()),
            Self::Truncated if !over_tcp => Some(query.truncated()),
            Self::Empty
            | Self::Mixed
            | Self::Rebinds
            | Self::Seventeen
            | Self::Localhost
            | Self::Truncated => Some(query.has(&self.addresses(asked_before))),
        }
    }

    fn addresses(self, asked_before: usize) -> Vec<IpAddr> {
        let v4 = |c: u8, d: u8| IpAddr::from([127, 0, c, d]);
        match self {
            Self::Mixed => vec![v4(0, 1), v4(0, 2)],
            Self::Rebinds => vec![v4(0, 1 + (asked_before % 2) as u8)],
            Self::Seventeen => (1..=16).map(|d| v4(0, d)).chain([v4(1, 1)]).collect(),
            Self::Localhost => vec![v4(0, 1), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1u16])],
            Self::Truncated => vec![v4(0, 1)],
            Self::Silent | Self::Absent | Self::Fails | Self::Garbage | Self::Empty | Self::Circle => {
                Vec::new()
            }
        }
    }
}
