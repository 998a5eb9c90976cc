//! The little of HTTP that the harness needs: reading a request, and a GET of an admin page.

use std::{
    io::{self, ErrorKind::InvalidData},
    net::SocketAddr,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The first byte of a TLS connection.
const TLS_HANDSHAKE: u8 = 0x16;

/// The start line, the headers (names in lower case) and the body of a message.
#[derive(Debug)]
pub struct Message {
    /// Such as `POST / HTTP/1.1`.
    pub start: String,
    /// In order of appearance.
    pub headers: Vec<(String, String)>,
    /// As long as `content-length` says.
    pub body: Vec<u8>,
}

/// Reads one message; `None` if the peer closed the connection before it, or speaks TLS. `unread` holds
/// what was received and not yet read.
pub async fn read_message(stream: &mut TcpStream, unread: &mut Vec<u8>) -> io::Result<Option<Message>> {
    let head_length = loop {
        if unread.first() == Some(&TLS_HANDSHAKE) {
            stream.write_all(b"HTTP/1.1 400 This is plain HTTP\r\n\r\n").await?;
            return Ok(None);
        }
        if let Some(end) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8(unread.drain(..head_length).collect())
        .map_err(|error| io::Error::new(InvalidData, error))?;
    let (start, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
    let headers: Vec<_> = headers
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, value)| value);
    let length: usize = length.parse().map_err(|error| io::Error::new(InvalidData, error))?;
    while unread.len() < length {
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(Message { start: start.to_owned(), headers, body: unread.drain(..length).collect() }))
}

/// An answer: status, headers with names in lower case, body.
pub type Reply = (u16, Vec<(String, String)>, Vec<u8>);

/// What `address` answers to a request with these headers and this body.
pub async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(address).await?;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    // A server may answer and close before it has read all of a body that it does not want.
    let _ = stream.write_all(body).await;
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply).await;
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n");
    let bad = || io::Error::new(InvalidData, format!("not HTTP: {}", String::from_utf8_lossy(&reply)));
    let end = end.ok_or_else(bad)?;
    let head = String::from_utf8_lossy(&reply[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(bad)?;
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Ok((status, headers.collect(), reply.split_off(end + 4)))
}

/// The status and body that `address` answers to `GET path`.
pub async fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await?;
    let reply = String::from_utf8_lossy(&reply);
    let bad = || io::Error::new(InvalidData, format!("not HTTP: {reply}"));
    let (head, body) = reply.split_once("\r\n\r\n").ok_or_else(bad)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(bad)?;
    Ok((status, body.to_owned()))
}
