//! A cable to a server: a TCP proxy that can be cut.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Forwards connections to a server of this machine; gone when dropped.
pub struct Cable {
    address: SocketAddr,
    cuts: watch::Sender<u64>,
    open: Arc<AtomicUsize>,
    _proxy: JoinSet<()>,
}

impl Cable {
    /// One to the server at this address.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let (cuts, open) = (watch::Sender::new(0), Arc::default());
        let mut proxy = JoinSet::new();
        proxy.spawn(forward(listener, server, cuts.subscribe(), Arc::clone(&open)));
        Self { address, cuts, open, _proxy: proxy }
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it carries.
    pub fn open(&self) -> usize {
        self.open.load(SeqCst)
    }

    /// Ends all connections. New ones are forwarded.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn forward(
    listener: TcpListener,
    server: SocketAddr,
    cuts: watch::Receiver<u64>,
    open: Arc<AtomicUsize>,
) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let (mut cuts, open) = (cuts.clone(), open.clone());
        cuts.mark_unchanged();
        connections.spawn(async move {
            let Ok(mut server) = TcpStream::connect(server).await else { return };
            open.fetch_add(1, SeqCst);
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => {}
                _ = cuts.changed() => {}
            }
            open.fetch_sub(1, SeqCst);
        });
        while connections.try_join_next().is_some() {}
    }
}
