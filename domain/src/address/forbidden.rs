//! Why a URL or an address is refused.

use std::net::IpAddr;

/// The longest URL, in bytes, as given and as it is sent.
pub const LONGEST_URL: usize = 2048;

/// Why a URL or an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Not a URL at all.
    #[error("it is not a URL: {0}")]
    NotAUrl(&'static str),
    /// As given, or as it would be sent.
    #[error("it is longer than {LONGEST_URL} bytes")]
    TooLong,
    /// Neither `https:` nor an allowed `http:`.
    #[error("its scheme is {0}: only {1} is allowed")]
    Scheme(String, &'static str),
    /// `user:password@` would become a header.
    #[error("it holds a user name or password: leave them out, requests are signed instead")]
    UserInfo,
    /// `#…` is never sent.
    #[error("it has a fragment (#…), which would never be sent")]
    Fragment,
    /// No host.
    #[error("it has no host")]
    NoHost,
    /// A host that no name server knows.
    #[error("its host is no name that can be looked up: {0}")]
    HostName(String),
    /// A port of another service.
    #[error("port {0} is not allowed: use 80, 443 or one above 1023")]
    Port(u16),
    /// Not public and not in `POSTHORN_ALLOW_NETWORKS`.
    #[error("the address {0} is not public, and no network in POSTHORN_ALLOW_NETWORKS holds it")]
    Address(IpAddr),
    /// The same of all addresses of a name. The owner of the webhook does not see them: they would reveal
    /// the structure of an internal network.
    #[error("its host has no public address, nor one in POSTHORN_ALLOW_NETWORKS")]
    Addresses(Vec<IpAddr>),
}
