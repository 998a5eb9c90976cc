//! What a common resolver makes of the traps of name lookup.

use std::{net::IpAddr, time::Duration};

use hickory_resolver::{
    TokioResolver,
    config::{NameServerConfig, ResolverConfig},
};
use posthorn_traps::{Settings, Traps};

#[tokio::test]
async fn names_have_the_addresses_that_their_lines_say() {
    let traps = Traps::start(Settings::default()).await.unwrap();
    let resolver = resolver(&traps);
    let v4 = |last: &[[u8; 2]]| last.iter().map(|[c, d]| IpAddr::from([127, 0, *c, *d])).collect::<Vec<_>>();
    let mut seventeen: Vec<_> = (1..=16).map(|d| [0, d]).collect();
    seventeen.push([1, 1]);
    for (name, addresses) in [
        ("dns-mixed", v4(&[[0, 1], [0, 2]])),
        ("dns-17-addresses", v4(&seventeen)),
        ("dns-truncated", v4(&[[0, 1]])),
        ("dns-rebinding", v4(&[[0, 1]])),
        ("dns-rebinding", v4(&[[0, 2]])),
        ("dns-rebinding", v4(&[[0, 1]])),
    ] {
        let mut found = lookup(&resolver, name).await.unwrap();
        found.sort();
        assert_eq!(found, addresses, "{name}");
    }
}

#[tokio::test]
async fn other_names_have_none() {
    let traps = Traps::start(Settings::default()).await.unwrap();
    let resolver = resolver(&traps);
    for name in [
        "dns-silent",
        "dns-nxdomain",
        "dns-servfail",
        "dns-garbage",
        "dns-no-address",
        "dns-circle",
        "dns-other",
    ] {
        assert!(lookup(&resolver, name).await.is_err(), "{name}");
    }
}

async fn lookup(resolver: &TokioResolver, name: &str) -> Result<Vec<IpAddr>, String> {
    let found = resolver.lookup_ip(format!("{name}.traps.example.com.")).await;
    found.map(|found| found.iter().collect()).map_err(|error| error.to_string())
}

fn resolver(traps: &Traps) -> TokioResolver {
    let address = traps.name_server();
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    server.connections.iter_mut().for_each(|connection| connection.port = address.port());
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let mut builder = TokioResolver::builder_with_config(config, Default::default());
    (builder.options_mut().timeout, builder.options_mut().attempts) = (Duration::from_millis(300), 1);
    builder.build().expect("the resolver can be built")
}
