//! A running server of traps.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    catalogue::{self, Behaviour, Trap},
    certificates::Authority,
    lookup::Lookup,
    names::{DOMAIN, NameServer},
    peer::Seen,
    server::{Bounds, Receiver},
};

/// What bounds a server of traps.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The port of the name server; the traps have those after it, in their order. 0: any free ports.
    pub port: u16,
    /// How long a conversation lasts at most.
    pub patience: Duration,
    /// How many bytes a trap writes in a conversation at most.
    pub most_bytes: u64,
}

/// All traps, on ports of 127.0.0.1; closed when dropped.
#[must_use = "they close when they are dropped"]
pub struct Traps {
    open: BTreeMap<&'static str, Open>,
    name_server: SocketAddr,
    authority: String,
    tasks: JoinSet<()>,
}

struct Open {
    url: String,
    seen: Arc<Seen>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { port: 0, patience: Duration::from_secs(60), most_bytes: 64 << 20 }
    }
}

impl Traps {
    /// Opens all traps.
    ///
    /// # Errors
    /// If a port is taken, or certificates cannot be made.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let authority = Authority::make().map_err(io::Error::other)?;
        let bounds = Bounds { patience: settings.patience, most_bytes: settings.most_bytes };
        let at = |number: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port(settings.port, number)));
        let names = NameServer::bind(at(0)).await?;
        let name_server = names.address()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(names.serve());
        let mut open = BTreeMap::new();
        for (number, trap) in (1..).zip(catalogue::all()) {
            let listener = TcpListener::bind(at(number)).await?;
            let url = url(trap, listener.local_addr()?);
            let seen = Arc::new(Seen::default());
            let receiver = Arc::new(Receiver::new(&trap.behaviour, &authority)?);
            tasks.spawn(receiver.serve(listener, seen.clone(), bounds));
            open.insert(&*trap.name, Open { url, seen });
        }
        Ok(Self { open, name_server, authority: authority.pem(), tasks })
    }

    /// The URL of a trap.
    ///
    /// # Panics
    /// If there is no trap of this name.
    pub fn url(&self, name: &str) -> &str {
        &self.named(name).url
    }

    /// How often clients have connected to a trap.
    ///
    /// # Panics
    /// If there is no trap of this name.
    pub fn connections(&self, name: &str) -> usize {
        self.named(name).seen.connections.load(Ordering::SeqCst)
    }

    /// How many requests a trap has read: those of which it saw the head.
    ///
    /// # Panics
    /// If there is no trap of this name.
    pub fn requests(&self, name: &str) -> usize {
        self.named(name).seen.requests.load(Ordering::SeqCst)
    }

    /// Where the name server listens, for UDP and TCP.
    pub fn name_server(&self) -> SocketAddr {
        self.name_server
    }

    /// The certificate of the authority that clients must trust, as PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Closes all traps.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    fn named(&self, name: &str) -> &Open {
        self.open.get(name).unwrap_or_else(|| panic!("there is no trap {name}"))
    }
}

fn port(first: u16, number: u16) -> u16 {
    if first == 0 { 0 } else { first + number }
}

fn url(trap: &Trap, address: SocketAddr) -> String {
    match trap.behaviour {
        Behaviour::Plain(_) => format!("http://{address}/"),
        Behaviour::Tls(..) | Behaviour::NoTls(_) | Behaviour::SlowTls | Behaviour::Http2(_) => {
            format!("https://{address}/")
        }
        Behaviour::Named(Lookup::Localhost) => format!("http://localhost:{}/", address.port()),
        Behaviour::Named(_) => format!("http://{}.{DOMAIN}:{}/", trap.name, address.port()),
    }
}
