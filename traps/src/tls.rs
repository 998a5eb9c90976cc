//! TLS servers with good and bad certificates.

use std::{io, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig, ServerConnection,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio::net::TcpStream;

use crate::{
    certificates::{Authority, Identity, self_signed},
    peer::Peer,
    script::{DRIP, Ending},
};

/// What a trap shows, and what it wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certificate {
    Good,
    Expired,
    OtherHost,
    SelfSigned,
    ManyNames,
    /// A good one, and the client may show one too.
    AsksForClients,
    /// A good one, and the client must show one too.
    DemandsClients,
}

impl Certificate {
    /// The server's side of TLS, with these protocols to choose from.
    pub(crate) fn config(self, authority: &Authority, protocols: &[&str]) -> io::Result<Arc<ServerConfig>> {
        let (chain, key) = self.identity(authority).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let builder = match self {
            Self::AsksForClients | Self::DemandsClients => {
                builder.with_client_cert_verifier(self.verifier(authority, provider)?)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(io::Error::other)?;
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }

    fn identity(self, authority: &Authority) -> Result<Identity, rcgen::Error> {
        let here = || vec!["127.0.0.1".to_owned(), "localhost".to_owned(), "*.traps.example.com".to_owned()];
        match self {
            Self::Good | Self::AsksForClients | Self::DemandsClients => authority.issue(here()),
            Self::Expired => authority.issue_expired(here()),
            Self::OtherHost => authority.issue(vec!["other.example.com".to_owned()]),
            Self::SelfSigned => self_signed(here()),
            Self::ManyNames => {
                authority.issue((0..900).map(|number| format!("host-{number}.example.com")).collect())
            }
        }
    }

    fn verifier(
        self,
        authority: &Authority,
        provider: Arc<rustls::crypto::CryptoProvider>,
    ) -> io::Result<Arc<dyn ClientCertVerifier>> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).map_err(io::Error::other)?;
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = if self == Self::AsksForClients { builder.allow_unauthenticated() } else { builder };
        let verifier = builder.build().map_err(io::Error::other)?;
        Ok(verifier)
    }
}

/// Makes a handshake a byte at a time.
pub(crate) async fn drip(peer: &mut Peer<'_, TcpStream>, config: Arc<ServerConfig>) -> io::Result<Ending> {
    let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
    while connection.is_handshaking() && peer.more().await? {
        let arrived = peer.unread();
        connection.read_tls(&mut arrived.as_slice())?;
        connection.process_new_packets().map_err(io::Error::other)?;
        let mut answer = Vec::new();
        while connection.wants_write() {
            connection.write_tls(&mut answer)?;
        }
        for byte in answer.chunks(1) {
            peer.repeat(byte, 1, DRIP).await?;
        }
    }
    Ok(Ending::Closed)
}
