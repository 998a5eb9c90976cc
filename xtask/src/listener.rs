//! Where a process listens, by `/proc`: a role that asked for port 0 is found without reading its log.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
};

/// Where the process listens at this address of loopback.
pub fn of(process: u32, address: Ipv4Addr) -> Option<SocketAddr> {
    let own = sockets(process)?;
    let table = fs::read_to_string(format!("/proc/{process}/net/tcp")).ok()?;
    let mut listening = table.lines().filter_map(listening);
    let (found, _) = listening.find(|(at, inode)| at.ip() == address && own.contains(inode))?;
    Some(found)
}

/// The inodes of a process's sockets.
fn sockets(process: u32) -> Option<Vec<String>> {
    let files = fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    let links = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
    let inode = |link: &str| link.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned);
    Some(links.filter_map(|link| inode(link.to_str()?)).collect())
}

/// Address and inode of a socket that listens, from a line of `/proc/net/tcp`: see proc_pid_net(5).
fn listening(line: &str) -> Option<(SocketAddr, String)> {
    const LISTEN: &str = "0A";
    let fields: Vec<_> = line.split_whitespace().collect();
    let (address, port) = fields.get(1)?.split_once(':')?;
    let address = Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?.to_ne_bytes());
    let port = u16::from_str_radix(port, 16).ok()?;
    let inode = fields.get(9).filter(|_| fields.get(3) == Some(&LISTEN))?;
    Some(((address, port).into(), (*inode).to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_is_found_by_its_process_and_address() {
        let listener = TcpListener::bind("127.0.0.2:0").unwrap();
        let own = std::process::id();
        assert_eq!(of(own, Ipv4Addr::new(127, 0, 0, 2)), Some(listener.local_addr().unwrap()));
        assert_eq!(of(own, Ipv4Addr::new(127, 0, 0, 3)), None);
    }
}
