//! Which name servers are asked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hickory_resolver::{
    config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts},
    system_conf::read_system_conf,
};

/// These name servers, or else those of `/etc/resolv.conf`, or else the one on this machine, as the C
/// library has it. Search domains are the system's in any case.
pub(super) fn config(name_servers: &[SocketAddr]) -> (ResolverConfig, ResolverOpts) {
    let on_this_machine = NameServerConfig::udp_and_tcp(IpAddr::from(Ipv4Addr::LOCALHOST));
    let (config, options) = read_system_conf().unwrap_or_else(|_| {
        (ResolverConfig::from_name_servers(vec![on_this_machine]), ResolverOpts::default())
    });
    if name_servers.is_empty() {
        return (config, options);
    }
    let (domain, search, _) = config.into_parts();
    let servers = name_servers.iter().map(server).collect();
    (ResolverConfig::from_parts(domain, search, servers), options)
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    connections.iter_mut().for_each(|connection| connection.port = address.port());
    NameServerConfig::new(address.ip(), true, connections)
}
