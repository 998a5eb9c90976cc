//! New connections: to addresses that policy allows, with TLS where the URL says so.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use posthorn_domain::{
    address::{AddressPolicy, Forbidden},
    outcome::UnreachableClass,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, sleep},
};
use tokio_rustls::TlsConnector;
use url::Host;

use crate::{
    failure::Failure,
    progress::{Progress, Stage},
    resolver::{CannotResolve, GuardedResolver},
    target::Origin,
    tls::{http1_only, tls},
};

/// How long one address is waited for before the next is dialled beside it (RFC 8305, 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// The HTTP client cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot prepare the HTTP client: {0}")]
pub struct CannotPrepare(String);

/// A connection's bytes, behind TLS or not.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A new connection.
pub(crate) struct Dialled {
    pub(crate) stream: Box<dyn Io>,
    pub(crate) address: IpAddr,
    /// The receiver wants HTTP/2.
    pub(crate) is_http2: bool,
}

/// Makes connections.
pub(crate) struct Dialler {
    policy: AddressPolicy,
    resolver: GuardedResolver,
    http1: TlsConnector,
    http2: TlsConnector,
}

impl Dialler {
    pub(crate) fn new(policy: AddressPolicy, name_servers: &[SocketAddr]) -> Result<Self, CannotPrepare> {
        let config = tls().map_err(|error| CannotPrepare(error.to_string()))?;
        Ok(Self {
            resolver: GuardedResolver::new(policy.clone(), name_servers).map_err(CannotPrepare)?,
            policy,
            http1: TlsConnector::from(Arc::new(http1_only(&config))),
            http2: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Looks the name up, connects, and shakes hands.
    pub(crate) async fn dial(&self, origin: &Origin, progress: &mut Progress) -> Result<Dialled, Failure> {
        let (stream, address, started) = self.connect(origin, progress).await?;
        // What it is for is best effort: small requests that leave at once.
        let _ = stream.set_nodelay(true);
        if !origin.is_tls {
            return Ok(Dialled { stream: Box::new(stream), address, is_http2: false });
        }
        progress.stage = Stage::Handshake;
        let shaken = self.shake_hands(origin, stream).await;
        progress.connect = Some(started.elapsed());
        let (stream, is_http2) = shaken?;
        Ok(Dialled { stream, address, is_http2 })
    }

    /// Looks the name up and connects; returns when it began to connect.
    pub(crate) async fn connect(
        &self,
        origin: &Origin,
        progress: &mut Progress,
    ) -> Result<(TcpStream, IpAddr, Instant), Failure> {
        let addresses = self.addresses(origin, progress).await?;
        let started = Instant::now();
        progress.stage = Stage::Connection;
        progress.address = addresses.first().copied();
        let connected = connect(addresses, origin.port).await;
        progress.connect = Some(started.elapsed());
        let (stream, address) = connected.map_err(|error| Failure::connecting(&error))?;
        progress.address = Some(address);
        progress.is_connected = true;
        progress.connections += 1;
        Ok((stream, address, started))
    }

    async fn addresses(&self, origin: &Origin, progress: &mut Progress) -> Result<Vec<IpAddr>, Failure> {
        progress.stage = Stage::Address;
        let name = match Host::parse(&origin.host) {
            Ok(Host::Domain(name)) => name,
            Ok(Host::Ipv4(address)) => return self.allowed(address.into(), progress),
            Ok(Host::Ipv6(address)) => return self.allowed(address.into(), progress),
            Err(error) => {
                return Err(Failure::new(UnreachableClass::Dns, format!("its host is none: {error}")));
            }
        };
        let started = Instant::now();
        let found = self.resolver.allowed(&name).await;
        progress.dns = Some(started.elapsed());
        found.map_err(|error| match error.downcast_ref::<Forbidden>() {
            Some(forbidden) => blocked(forbidden, progress),
            None => no_address(&*error),
        })
    }

    fn allowed(&self, address: IpAddr, progress: &mut Progress) -> Result<Vec<IpAddr>, Failure> {
        self.policy.check_address(address).map_err(|forbidden| blocked(&forbidden, progress))?;
        Ok(vec![address])
    }

    async fn shake_hands(&self, origin: &Origin, stream: TcpStream) -> Result<(Box<dyn Io>, bool), Failure> {
        let name = origin.host.trim_start_matches('[').trim_end_matches([']', '.']);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| {
            Failure::new(UnreachableClass::Tls, "its name is none that a certificate could be for")
        })?;
        let connector = if origin.http2 { &self.http2 } else { &self.http1 };
        let stream = connector.connect(name, stream).await.map_err(|error| Failure::handshake(&error))?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((Box::new(stream), is_http2))
    }
}

/// The message is for the webhook's owner and holds no address; operators see it in `progress`.
pub(crate) fn blocked(forbidden: &Forbidden, progress: &mut Progress) -> Failure {
    let words = match forbidden {
        Forbidden::Address(address) => {
            progress.address = Some(*address);
            "its address is not public".to_owned()
        }
        Forbidden::Addresses(addresses) => {
            progress.address = addresses.first().copied();
            "its address is not public".to_owned()
        }
        other => other.to_string(),
    };
    Failure::new(UnreachableClass::Blocked, words)
}

fn no_address(error: &(dyn std::error::Error + 'static)) -> Failure {
    let known = error.downcast_ref::<CannotResolve>();
    let words = if known.is_some() { error.to_string() } else { "its name cannot be looked up".to_owned() };
    let is_local = known.is_some_and(|error| error.is_local);
    Failure::new(UnreachableClass::Dns, words).local(is_local)
}

/// Connects to the first address that answers: each gets a head start before the next.
async fn connect(addresses: Vec<IpAddr>, port: u16) -> io::Result<(TcpStream, IpAddr)> {
    let mut waiting = alternating(addresses).into_iter();
    let mut dialling = FuturesUnordered::new();
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        match waiting.next() {
            Some(address) => dialling.push(async move {
                let connected = TcpStream::connect(SocketAddr::new(address, port)).await;
                connected.map(|stream| (stream, address))
            }),
            None if dialling.is_empty() => return Err(failed),
            None => {}
        }
        let has_more = waiting.len() > 0;
        tokio::select! {
            biased;
            Some(connected) = dialling.next() => match connected {
                Ok(connected) => return Ok(connected),
                Err(error) => failed = error,
            },
            () = sleep(HEAD_START), if has_more => {}
        }
    }
}

/// Alternates between the address families, starting with that of the first address.
fn alternating(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let is_first_v6 = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_first_v6);
    let longest = first.len().max(second.len());
    let of = |family: &[IpAddr], place: usize| family.get(place).copied();
    (0..longest).flat_map(|place| [of(&first, place), of(&second, place)]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn families_take_turns() {
        let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let mixed = read(&["::1", "::2", "::3", "127.0.0.1", "127.0.0.2"]);
        assert_eq!(alternating(mixed), read(&["::1", "127.0.0.1", "::2", "127.0.0.2", "::3"]));
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_passed_over() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let addresses = vec!["127.0.0.9".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        let (_stream, address) = connect(addresses, port).await.unwrap();
        assert_eq!(address, IpAddr::from([127, 0, 0, 1]));
        drop(listener);
        assert_eq!(connect(vec![address], port).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
