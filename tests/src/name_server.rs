//! A name server on loopback, for names that only a test knows.

use std::net::{IpAddr, SocketAddr};

use tokio::{net::UdpSocket, task::JoinSet};

const A: u16 = 1;
const AAAA: u16 = 28;
/// An answer to what was asked, recursion available.
const RESPONSE: u16 = 0x8180;
const NO_SUCH_NAME: u16 = 3;
/// The name in the question, by its place.
const POINTER: u16 = 0xc00c;
const HEADER: usize = 12;

/// A name server; stops when dropped.
pub struct NameServer {
    address: SocketAddr,
    _server: JoinSet<()>,
}

impl NameServer {
    /// Starts one that knows these names, without a dot at the end.
    pub async fn start(known: &[(&str, IpAddr)]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port is free");
        let address = socket.local_addr().expect("a socket has an address");
        let known: Vec<_> = known.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
        let mut server = JoinSet::new();
        server.spawn(serve(socket, known));
        Self { address, _server: server }
    }

    /// What `POSTHORN_NAME_SERVERS` says, for it to be asked.
    pub fn setting(&self) -> String {
        self.address.to_string()
    }
}

async fn serve(socket: UdpSocket, known: Vec<(String, IpAddr)>) {
    let mut question = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut question).await {
        if let Some(answer) = answer(&question[..length], &known) {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

/// The answer to a message with one question.
fn answer(message: &[u8], known: &[(String, IpAddr)]) -> Option<Vec<u8>> {
    let (name, end) = name(message)?;
    let kind = u16::from_be_bytes([*message.get(end)?, *message.get(end + 1)?]);
    let of_name: Vec<_> = known.iter().filter(|(known, _)| known.eq_ignore_ascii_case(&name)).collect();
    let found: Vec<_> = of_name.iter().filter_map(|(_, address)| record(*address, kind)).collect();
    let code = if of_name.is_empty() { NO_SUCH_NAME } else { 0 };
    let mut answer = message.get(..2)?.to_vec();
    for number in [RESPONSE | code, 1, found.len() as u16, 0, 0] {
        answer.extend(number.to_be_bytes());
    }
    answer.extend(message.get(HEADER..end + 4)?);
    answer.extend(found.concat());
    Some(answer)
}

/// The name that is asked for, and where it ends.
fn name(message: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut place = HEADER;
    loop {
        let length = usize::from(*message.get(place)?);
        place += 1;
        if length == 0 {
            return Some((labels.join("."), place));
        }
        labels.push(String::from_utf8_lossy(message.get(place..place + length)?).into_owned());
        place += length;
    }
}

fn record(address: IpAddr, kind: u16) -> Option<Vec<u8>> {
    let data = match (address, kind) {
        (IpAddr::V4(address), A) => address.octets().to_vec(),
        (IpAddr::V6(address), AAAA) => address.octets().to_vec(),
        _ => return None,
    };
    let mut record = Vec::new();
    for number in [POINTER, kind, 1, 0, 60, data.len() as u16] {
        record.extend(number.to_be_bytes());
    }
    record.extend(data);
    Some(record)
}
