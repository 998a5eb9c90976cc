//! `posthorn healthcheck`: asks the role beside it, in an image without a shell or curl.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(4);
const MOST_READ: u64 = 64 << 10;

/// Which process to ask, and for what.
#[derive(Debug, Args)]
pub(crate) struct Healthcheck {
    /// Where the role serves /livez and /readyz
    #[arg(long, env = "POSTHORN_ADMIN_ADDR", default_value = "127.0.0.1:9400", value_name = "ADDR")]
    admin_addr: SocketAddr,
    /// Ask only whether it runs, not whether it can work
    #[arg(long)]
    live: bool,
}

impl Healthcheck {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let address = reachable(self.admin_addr);
        let path = if self.live { "/livez" } else { "/readyz" };
        let asking = timeout(PATIENCE, get(address, path));
        let answer = asking.await.with_context(|| format!("{address} does not answer"))?;
        let answer = answer.with_context(|| format!("cannot ask {address}"))?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        println!("{}", body.trim());
        match head.split(' ').nth(1) {
            Some("200") => Ok(()),
            _ => bail!("{address}{path} answers: {}", head.lines().next().unwrap_or_default()),
        }
    }
}

/// Where to ask one that listens on this address.
fn reachable(mut listens_on: SocketAddr) -> SocketAddr {
    match listens_on.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listens_on.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listens_on.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    listens_on
}

async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.take(MOST_READ).read_to_string(&mut answer).await?;
    Ok(answer)
}
