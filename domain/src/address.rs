//! Which URLs and addresses a webhook may have.
//!
//! Only addresses of the public Internet are allowed, and those of networks that the operator names. A URL is
//! checked when it is saved, and each address again before it is dialled, since names change their addresses.
//! A URL that could never be delivered to is refused when it is saved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

mod forbidden;
pub(crate) mod host_name;
mod webhook_url;

pub use forbidden::{Forbidden, LONGEST_URL};
pub use webhook_url::WebhookUrl;

/// The operator's policy.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    /// Networks that are allowed besides the public Internet.
    pub allow_networks: Vec<IpNet>,
    /// Whether `http:` is allowed besides `https:`.
    pub allow_http: bool,
}

/// IANA IPv4 Special-Purpose Address Registry, multicast and reserved space, and the metadata
/// service of one cloud that has a public address.
const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Global unicast: everything else (mapped, NAT64, unique local, link-local, multicast) is out.
const PUBLIC_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Within it: protocol assignments and Teredo, documentation, 6to4.
const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

impl AddressPolicy {
    /// Reads a webhook's URL and judges all that can be judged without asking the network.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check_url(&self, text: &str) -> Result<WebhookUrl, Forbidden> {
        let url = WebhookUrl::read(text)?;
        self.check_scheme(url.parts())?;
        self.check_host(url.parts())?;
        self.check_port(url.parts())?;
        Ok(url)
    }

    fn check_scheme(&self, url: &Url) -> Result<(), Forbidden> {
        match (url.scheme(), self.allow_http) {
            ("https", _) | ("http", true) => Ok(()),
            (other, true) => Err(Forbidden::Scheme(other.to_owned(), "http or https")),
            (other, false) => Err(Forbidden::Scheme(other.to_owned(), "https")),
        }
    }

    /// Ports of other services are closed but in the networks that the operator has named.
    fn check_port(&self, url: &Url) -> Result<(), Forbidden> {
        let named = match url.host() {
            Some(Host::Ipv4(address)) => self.is_named(address.into()),
            Some(Host::Ipv6(address)) => self.is_named(address.into()),
            Some(Host::Domain(_)) | None => false,
        };
        match url.port() {
            Some(0) => Err(Forbidden::Port(0)),
            Some(port @ ..1024) if !named && !matches!(port, 80 | 443) => Err(Forbidden::Port(port)),
            Some(_) | None => Ok(()),
        }
    }

    /// Judges the host of a URL as far as it is an address; a name is judged when it is resolved.
    fn check_host(&self, url: &Url) -> Result<(), Forbidden> {
        match url.host().ok_or(Forbidden::NoHost)? {
            Host::Ipv4(address) => self.check_address(address.into()),
            Host::Ipv6(address) => self.check_address(address.into()),
            Host::Domain(name) if host_name::is_localhost(name) => self
                .check_address(Ipv4Addr::LOCALHOST.into())
                .or_else(|refused| self.check_address(Ipv6Addr::LOCALHOST.into()).map_err(|_| refused)),
            Host::Domain(name) => host_name::check(name),
        }
    }

    /// The addresses of a name that may be dialled.
    ///
    /// # Errors
    /// If there are some, and none may.
    pub fn allowed(&self, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, Forbidden> {
        let (allowed, refused): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|address| self.check_address(*address).is_ok());
        match allowed.is_empty() && !refused.is_empty() {
            true => Err(Forbidden::Addresses(refused)),
            false => Ok(allowed),
        }
    }

    /// Judges an address that is about to be dialled.
    ///
    /// # Errors
    /// If it is neither public nor in an allowed network.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Forbidden> {
        let address = address.to_canonical();
        if is_public(address) || self.is_named(address) { Ok(()) } else { Err(Forbidden::Address(address)) }
    }

    fn is_named(&self, address: IpAddr) -> bool {
        self.allow_networks.iter().any(|network| network.contains(&address.to_canonical()))
    }
}

fn is_public(address: IpAddr) -> bool {
    let in_v4 = |address: &Ipv4Addr, (start, length)| Ipv4Net::new_assert(start, length).contains(address);
    let in_v6 = |address: &Ipv6Addr, (start, length)| Ipv6Net::new_assert(start, length).contains(address);
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.into_iter().any(|network| in_v4(&address, network)),
        IpAddr::V6(address) => {
            in_v6(&address, PUBLIC_V6) && !NOT_PUBLIC_V6.into_iter().any(|network| in_v6(&address, network))
        }
    }
}

#[cfg(test)]
mod tests;
