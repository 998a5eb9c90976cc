//! The client at the other end of a connection: reads requests of it and writes to it within bounds.

use std::{
    io::{self, ErrorKind::InvalidData},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::sleep,
};

/// The most of a request's head that is read.
const MOST_HEAD: usize = 64 << 10;

/// What one trap has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connections: AtomicUsize,
    pub(crate) requests: AtomicUsize,
}

/// A client, and what may still be written to it.
pub(crate) struct Peer<'a, S> {
    pub(crate) stream: S,
    seen: &'a Seen,
    unread: Vec<u8>,
    bytes_left: u64,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Peer<'a, S> {
    pub(crate) fn new(stream: S, seen: &'a Seen, most_bytes: u64) -> Self {
        Self { stream, seen, unread: Vec::new(), bytes_left: most_bytes }
    }

    /// Reads a request's head, and answers how long its body is; `None` if the client has gone.
    pub(crate) async fn head(&mut self) -> io::Result<Option<usize>> {
        let length = loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if self.unread.len() > MOST_HEAD || !self.more().await? {
                return Ok(None);
            }
        };
        let head: Vec<u8> = self.unread.drain(..length).collect();
        self.requested();
        Ok(Some(body_length(&String::from_utf8_lossy(&head))))
    }

    /// Reads a whole request; answers whether there was one.
    pub(crate) async fn request(&mut self) -> io::Result<bool> {
        let Some(mut body) = self.head().await? else { return Ok(false) };
        loop {
            let read = body.min(self.unread.len());
            self.unread.drain(..read);
            body -= read;
            if body == 0 {
                return Ok(true);
            }
            if !self.more().await? {
                return Ok(false);
            }
        }
    }

    /// Reads these many bytes. It may be dropped and called again: nothing is lost.
    pub(crate) async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        self.arrived(length).await?;
        Ok(self.unread.drain(..length).collect())
    }

    /// What has arrived, once so much has.
    pub(crate) async fn arrived(&mut self, length: usize) -> io::Result<&[u8]> {
        while self.unread.len() < length {
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(&self.unread)
    }

    /// Reads whatever comes next; answers whether something did.
    pub(crate) async fn more(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.unread).await? > 0)
    }

    /// Says nothing until the client goes; reads on, so that its going is seen.
    pub(crate) async fn hold(&mut self) -> io::Result<()> {
        while self.more().await? {
            self.unread.clear();
        }
        Ok(())
    }

    /// Writes to the client.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let left = self.bytes_left.checked_sub(bytes.len() as u64);
        self.bytes_left = left.ok_or_else(|| io::Error::new(InvalidData, "as much as it writes"))?;
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Writes the same so many times, with a pause after each.
    pub(crate) async fn repeat(&mut self, bytes: &[u8], times: u64, every: Duration) -> io::Result<()> {
        for _ in 0..times {
            self.write(bytes).await?;
            if !every.is_zero() {
                sleep(every).await;
            }
        }
        Ok(())
    }

    /// Takes what has arrived.
    pub(crate) fn unread(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unread)
    }

    /// Counts a request, and answers how many the trap had before.
    pub(crate) fn requested(&self) -> usize {
        self.seen.requests.fetch_add(1, Ordering::SeqCst)
    }
}

fn body_length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().and_then(|(_, value)| value.trim().parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_as_long_as_its_head_says() {
        assert_eq!(body_length("POST / HTTP/1.1\r\nhost: a\r\nContent-Length: 12\r\n\r\n"), 12);
        assert_eq!(body_length("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), 0);
    }
}
