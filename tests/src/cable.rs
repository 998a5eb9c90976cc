//! A cable to a server: a TCP proxy that can be cut.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Forwards connections to a server of this machine; gone when dropped.
pub struct Cable {
    address: SocketAddr,
    carried: Arc<Mutex<Carried>>,
    _proxy: JoinSet<()>,
}

/// The connections since the last cut.
#[derive(Default, Clone)]
struct Carried {
    connections: TaskTracker,
    cut: CancellationToken,
}

impl Cable {
    /// One to the server at this address.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let carried = Arc::default();
        let mut proxy = JoinSet::new();
        proxy.spawn(forward(listener, server, Arc::clone(&carried)));
        Self { address, carried, _proxy: proxy }
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it carries.
    pub fn open(&self) -> usize {
        lock(&self.carried).connections.len()
    }

    /// Ends all connections. New ones are forwarded, and none of the ended ones is counted any more.
    pub async fn cut(&self) {
        let Carried { connections, cut } = std::mem::take(&mut *lock(&self.carried));
        cut.cancel();
        connections.close();
        connections.wait().await;
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        lock(&self.carried).cut.cancel();
    }
}

async fn forward(listener: TcpListener, server: SocketAddr, carried: Arc<Mutex<Carried>>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let Carried { connections, cut } = lock(&carried).clone();
        connections.spawn(async move {
            let forwarding = async {
                let Ok(mut server) = TcpStream::connect(server).await else { return };
                // Whichever side breaks it off, both are closed.
                let _ = copy_bidirectional(&mut client, &mut server).await;
            };
            cut.run_until_cancelled(forwarding).await;
        });
    }
}

fn lock(carried: &Mutex<Carried>) -> MutexGuard<'_, Carried> {
    carried.lock().unwrap_or_else(PoisonError::into_inner)
}
