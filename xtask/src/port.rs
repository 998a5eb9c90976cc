//! Ports of 127.0.0.1.

use std::{
    fs::File,
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use anyhow::Context;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a server could listen here.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind(local(port)).is_ok()
}

/// Whether somebody listens here.
pub fn answers(port: u16) -> bool {
    TcpStream::connect_timeout(&local(port), TIMEOUT).is_ok()
}

/// A free port below the range from which the kernel takes ports for outgoing connections, so that a
/// stopped server finds its port free when it comes back.
pub fn random_free() -> anyhow::Result<u16> {
    for _ in 0..1000 {
        let port = 20_000 + (random()? % 12_000) as u16;
        if is_free(port) {
            return Ok(port);
        }
    }
    anyhow::bail!("no free port between 20000 and 32000")
}

/// A random number that the system makes.
pub fn random() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    let mut source = File::open("/dev/urandom").context("cannot open /dev/urandom")?;
    source.read_exact(&mut bytes).context("cannot read /dev/urandom")?;
    Ok(u64::from_ne_bytes(bytes))
}

/// The address of a port.
pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
