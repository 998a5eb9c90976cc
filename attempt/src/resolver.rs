//! Name lookup that answers only addresses that policy allows.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use hickory_resolver::TokioResolver;
use posthorn_domain::address::AddressPolicy;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::phases;

const TIMEOUT: Duration = Duration::from_secs(2);
const LONGEST_TTL: Duration = Duration::from_secs(300);
/// The most addresses of a name that are tried.
const MOST_ADDRESSES: usize = 16;

/// A name that has no address.
#[derive(Debug, thiserror::Error)]
#[error("cannot find an address for {name}: {reason}")]
pub(crate) struct CannotResolve {
    name: String,
    reason: String,
}

/// Looks names up. The addresses that it answers are the ones that are dialled.
#[derive(Clone)]
pub(crate) struct GuardedResolver {
    resolver: TokioResolver,
    policy: Arc<AddressPolicy>,
}

impl GuardedResolver {
    pub(crate) fn new(policy: AddressPolicy) -> Result<Self, String> {
        let mut builder = TokioResolver::builder_tokio().map_err(|error| error.to_string())?;
        let options = builder.options_mut();
        options.timeout = TIMEOUT;
        options.attempts = 2;
        // A name with a dot is tried as it is before any search domain.
        options.ndots = 1;
        options.positive_max_ttl = Some(LONGEST_TTL);
        options.negative_max_ttl = Some(Duration::from_secs(10));
        let resolver = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { resolver, policy: Arc::new(policy) })
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { resolver, policy } = self.clone();
        Box::pin(async move {
            let cannot = |reason: String| CannotResolve { name: name.as_str().to_owned(), reason };
            let started = Instant::now();
            let found = resolver.lookup_ip(name.as_str()).await;
            phases::looked_up(started.elapsed());
            let found = found.map_err(|error| cannot(error.to_string()))?;
            let addresses: Vec<_> = found.iter().take(MOST_ADDRESSES).collect();
            // One forbidden address among allowed ones smells of rebinding: none is dialled.
            addresses.iter().try_for_each(|address| policy.check_address(*address))?;
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
