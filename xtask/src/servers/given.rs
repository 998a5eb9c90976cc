//! Servers that the environment gives: `POSTHORN_AMQP_URL`, `POSTHORN_DATABASE_URL`.

use std::{
    env, fs,
    net::{TcpStream, ToSocketAddrs},
    path::Path,
    time::Duration,
};

use super::{ports::Ports, settings::Settings};
use crate::local;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The given URLs, if somebody listens there. Those of this repository's own servers, come back through the
/// environment, do not count.
pub(super) fn settings() -> anyhow::Result<Settings> {
    let own = own_ports();
    let given = |name: &str| {
        let url = env::var(name).ok().filter(|url| !url.is_empty() && !is_own(url, &own));
        if let Some((host, port)) = url.as_deref().and_then(place) {
            anyhow::ensure!(
                is_listening(&host, port),
                "{name} is set, but nobody listens at {host}, port {port}: start that server, or unset {name} \
                 to get a private one"
            );
        }
        Ok(url)
    };
    Ok(Settings { amqp_url: given("POSTHORN_AMQP_URL")?, database_url: given("POSTHORN_DATABASE_URL")? })
}

/// The ports of all servers in `.local/servers` and `.local/*/servers`.
fn own_ports() -> Vec<u16> {
    let folders = fs::read_dir(local()).into_iter().flatten().flatten().map(|entry| entry.path());
    let all = folders.map(|folder| folder.join("servers")).chain([local().join("servers")]);
    let ports = all.filter_map(|folder| Ports::read(Path::new(&folder)));
    ports.flat_map(|ports| [ports.amqp, ports.postgres]).collect()
}

fn is_own(url: &str, own: &[u16]) -> bool {
    place(url).is_some_and(|(host, port)| host == "127.0.0.1" && own.contains(&port))
}

/// Host and port of a URL. A list of hosts, or a socket, is left to those who connect.
fn place(url: &str) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.is_empty() || host.contains(',') {
        return None;
    }
    let default = match scheme {
        "amqp" => 5672,
        "amqps" => 5671,
        _ => 5432,
    };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()?),
        _ => (host, default),
    };
    Some((name.trim_matches(['[', ']']).to_owned(), port))
}

fn is_listening(host: &str, port: u16) -> bool {
    let addresses = (host, port).to_socket_addrs().into_iter().flatten();
    addresses.into_iter().any(|address| TcpStream::connect_timeout(&address, TIMEOUT).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_from_a_url() {
        let is = |url, host: &str, port| assert_eq!(place(url), Some((host.to_owned(), port)), "{url}");
        is("amqp://guest:g@b@broker.example.com/%2f", "broker.example.com", 5672);
        is("amqps://broker.example.com", "broker.example.com", 5671);
        is("postgres://u@[::1]/db", "::1", 5432);
        is("postgres://u@[::1]:6543/db?sslmode=require", "::1", 6543);
        is("postgresql://db.example.com:1", "db.example.com", 1);
        for elsewhere in ["postgres://one,two/db", "postgres:///db?host=/run", "host=/run", ""] {
            assert_eq!(place(elsewhere), None, "{elsewhere}");
        }
    }
}
