//! Which URLs and addresses a webhook may have.
//!
//! Addresses are allowed, not forbidden: only those of the public Internet pass, and those of
//! networks that the operator names. A URL is judged when it is saved, and every address again when
//! it is about to be dialled, since names change what they point to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// The operator's policy.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    /// Networks that are allowed besides the public Internet.
    pub allow_networks: Vec<IpNet>,
    /// Whether `http:` is allowed besides `https:`.
    pub allow_http: bool,
}

/// Why a URL or an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Not a URL at all.
    #[error("it is not a URL: {0}")]
    NotAUrl(String),
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
    /// A port of another service.
    #[error("port {0} is not allowed: use 80, 443 or one above 1023")]
    Port(u16),
    /// Not public and not in `POSTHORN_ALLOW_NETWORKS`.
    #[error("the address {0} is not public, and no network in POSTHORN_ALLOW_NETWORKS holds it")]
    Address(IpAddr),
}

/// IANA IPv4 Special-Purpose Address Registry, multicast and reserved space, and the metadata
/// service of one cloud that lies in public space.
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
    pub fn check_url(&self, text: &str) -> Result<Url, Forbidden> {
        let url = Url::parse(text).map_err(|error| Forbidden::NotAUrl(error.to_string()))?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            other if self.allow_http => return Err(Forbidden::Scheme(other.to_owned(), "http or https")),
            other => return Err(Forbidden::Scheme(other.to_owned(), "https")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Forbidden::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(Forbidden::Fragment);
        }
        self.check_host(&url)?;
        self.check_port(&url)?;
        Ok(url)
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

    fn is_named(&self, address: IpAddr) -> bool {
        self.allow_networks.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// Judges the host of a URL as far as it is an address; a name is judged when it is resolved.
    ///
    /// # Errors
    /// If the address is forbidden.
    fn check_host(&self, url: &Url) -> Result<(), Forbidden> {
        match url.host().ok_or(Forbidden::NoHost)? {
            Host::Ipv4(address) => self.check_address(address.into()),
            Host::Ipv6(address) => self.check_address(address.into()),
            Host::Domain(name) if is_localhost(name) => self.check_address(Ipv4Addr::LOCALHOST.into()),
            Host::Domain(_) => Ok(()),
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
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
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
mod tests {
    use super::*;

    fn checked(policy: &AddressPolicy, url: &str) -> Result<(), Forbidden> {
        policy.check_url(url).map(|_| ())
    }

    #[test]
    fn public_https_urls_pass() {
        for url in [
            "https://example.com",
            "https://example.com:8443/a?b=c",
            "https://8.8.8.8/",
            "https://[2606:4700::1]/",
        ] {
            assert_eq!(checked(&AddressPolicy::default(), url), Ok(()), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        let refusal = |url| checked(&AddressPolicy::default(), url).unwrap_err();
        assert_eq!(refusal("http://example.com"), Forbidden::Scheme("http".into(), "https"));
        assert_eq!(refusal("gopher://example.com"), Forbidden::Scheme("gopher".into(), "https"));
        assert_eq!(refusal("https://user@example.com"), Forbidden::UserInfo);
        assert_eq!(refusal("https://example.com/#a"), Forbidden::Fragment);
        assert_eq!(refusal("https://example.com:25"), Forbidden::Port(25));
        assert_eq!(refusal("https://example.com:0"), Forbidden::Port(0));
        assert!(matches!(refusal("example.com"), Forbidden::NotAUrl(_)));
    }

    #[test]
    fn every_spelling_of_a_forbidden_address_is_refused() {
        let hosts = [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "0177.0.0.1",
            "2130706433",
            "0.0.0.0",
            "10.1.2.3",
            "169.254.169.254",
            "169.254.169.254.",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "198.18.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "①②⑦.0.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::7f00:1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[2001::1]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[ff02::1]",
            "[2001:db8::1]",
        ];
        for host in hosts {
            let refusal = checked(&AddressPolicy::default(), &format!("https://{host}/")).unwrap_err();
            assert!(matches!(refusal, Forbidden::Address(_)), "{host}: {refusal}");
        }
    }

    #[test]
    fn the_operator_can_allow_networks_and_http() {
        let policy = AddressPolicy { allow_networks: vec!["127.0.0.0/8".parse().unwrap()], allow_http: true };
        assert_eq!(checked(&policy, "http://127.0.0.1:9000/"), Ok(()));
        assert_eq!(checked(&policy, "http://127.0.0.1:9/"), Ok(()));
        assert_eq!(checked(&policy, "http://127.0.0.1:0/"), Err(Forbidden::Port(0)));
        assert_eq!(checked(&policy, "http://localhost:9000/"), Ok(()));
        assert_eq!(policy.check_address("::ffff:127.0.0.1".parse().unwrap()), Ok(()));
        assert!(checked(&policy, "http://10.0.0.1/").is_err());
        assert!(checked(&policy, "http://[::1]/").is_err());
    }
}
