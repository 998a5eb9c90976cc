//! Name lookup that answers only addresses that policy allows.
//!
//! Names are looked up as the system's own commands do: first in `/etc/hosts`, then at the name servers,
//! single words with the search domains of `/etc/resolv.conf`. Names of machines may hold underscores, as
//! container networks have them.

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use hickory_resolver::{
    Hosts, TokioResolver,
    config::ResolveHosts,
    net::NetError,
    net::runtime::TokioRuntimeProvider,
    proto::{
        op::Query,
        rr::{Name, RecordType},
    },
};
use posthorn_domain::address::AddressPolicy;

use crate::failure::is_shortage;

mod servers;
mod words;

/// How long one name server is waited for before it is asked again.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long a name may take, however many name servers and search domains there are.
const BUDGET: Duration = Duration::from_secs(4);
const LONGEST_TTL: Duration = Duration::from_secs(300);
/// The most addresses of a name that are tried.
const MOST_ADDRESSES: usize = 16;

/// A name that has no address.
#[derive(Debug, thiserror::Error)]
#[error("cannot find an address for {name}: {reason}")]
pub(crate) struct CannotResolve {
    name: String,
    reason: String,
    /// This machine is short of what a question needs.
    pub(crate) is_local: bool,
}

/// Looks names up. The addresses that it answers are the ones that are dialled.
#[derive(Clone)]
pub(crate) struct GuardedResolver {
    hosts: Arc<Hosts>,
    resolver: TokioResolver,
    policy: Arc<AddressPolicy>,
}

impl GuardedResolver {
    /// Asks these name servers, or those of the system if there are none.
    pub(crate) fn new(policy: AddressPolicy, name_servers: &[SocketAddr]) -> Result<Self, String> {
        let (config, options) = servers::config(name_servers);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        let options = builder.options_mut();
        options.timeout = TIMEOUT;
        options.attempts = 2;
        // A name with a dot is tried as it is before any search domain.
        options.ndots = 1;
        options.positive_max_ttl = Some(LONGEST_TTL);
        options.negative_max_ttl = Some(Duration::from_secs(10));
        options.use_hosts_file = ResolveHosts::Never; // it is asked here, before any search domain
        let resolver = builder.build().map_err(|error| error.to_string())?;
        let hosts = Arc::new(Hosts::from_system().unwrap_or_default());
        Ok(Self { hosts, resolver, policy: Arc::new(policy) })
    }

    /// The addresses of a name that may be dialled.
    pub(crate) async fn allowed(&self, name: &str) -> Result<Vec<IpAddr>, Box<dyn Error + Send + Sync>> {
        let started = Instant::now();
        let found = tokio::time::timeout(BUDGET, self.addresses(name)).await;
        let (reason, is_local) = match found.unwrap_or(Err(NetError::Timeout)) {
            Ok(found) if !found.is_empty() => {
                return Ok(self.policy.allowed(found)?.into_iter().take(MOST_ADDRESSES).collect());
            }
            Ok(_) => (words::NO_ADDRESS.to_owned(), false),
            Err(error) => {
                let is_local = matches!(&error, NetError::Io(error) if is_shortage(error));
                (words::reason(&error, started.elapsed()), is_local)
            }
        };
        Err(CannotResolve { name: name.to_owned(), reason, is_local }.into())
    }

    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let name = Name::from_ascii(name)?;
        let known = self.in_hosts(&name);
        if !known.is_empty() {
            return Ok(known);
        }
        Ok(self.resolver.lookup_ip(name).await?.iter().collect())
    }

    fn in_hosts(&self, name: &Name) -> Vec<IpAddr> {
        let of = |kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let found = [RecordType::A, RecordType::AAAA].into_iter().filter_map(of);
        found
            .flat_map(|lookup| lookup.answers().iter().filter_map(|a| a.data.ip_addr()).collect::<Vec<_>>())
            .collect()
    }
}
