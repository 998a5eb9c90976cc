//! A client on a bare socket.

use std::time::Duration;

use posthorn_traps::{Settings, Traps};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) const REQUEST: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}";

/// All traps, impatient: what waits for more ends soon.
pub(crate) async fn traps() -> Traps {
    let settings = Settings { patience: Duration::from_secs(1), ..Settings::default() };
    Traps::start(settings).await.expect("ports of loopback are free")
}

/// All that a trap answers to a request until it ends the connection.
pub(crate) async fn ask(traps: &Traps, name: &str) -> Vec<u8> {
    exchange(traps.url(name), REQUEST.as_bytes()).await
}

/// All that is answered to these bytes until the connection ends, however it does.
pub(crate) async fn exchange(url: &str, bytes: &[u8]) -> Vec<u8> {
    let port = url.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
    let address = ("127.0.0.1", port.expect("a trap's URL has a port"));
    let mut stream = TcpStream::connect(address).await.expect("the trap listens");
    stream.write_all(bytes).await.expect("the trap is there");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}
