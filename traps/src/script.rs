//! What a trap does on an HTTP/1.1 connection, step by step.

use std::{borrow::Cow, io, time::Duration};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::peer::Peer;

/// As many times as bounds allow.
pub(crate) const ENDLESS: u64 = u64::MAX;
/// The pause of a trap that drips.
pub(crate) const DRIP: Duration = Duration::from_millis(250);

/// Answers 200 to a request.
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// Answers 200 to every request.
pub(crate) const ALWAYS_OK: &[Step] = &[Step::ReadRequest, Step::Write(Cow::Borrowed(OK))];

/// Answers 200 to one request and closes the connection.
pub(crate) const ONCE_OK: &[Step] = &[
    Step::ReadRequest,
    Step::Write(Cow::Borrowed(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")),
    Step::End(Ending::Closed),
];

/// One thing that a trap does.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Reads whatever comes first.
    ReadSome,
    /// Reads a request's head and leaves its body.
    ReadHead,
    /// Reads a request.
    ReadRequest,
    /// Writes at once.
    Write(Cow<'static, [u8]>),
    /// Writes byte by byte, with a pause after each.
    Drip(Cow<'static, [u8]>),
    /// Writes the same so many times, with a pause after each.
    Repeat(Cow<'static, [u8]>, u64, Duration),
    /// Reads, and says nothing until the client goes.
    Hold,
    /// Does not even read.
    Freeze,
    /// Ends the conversation.
    End(Ending),
}

/// How a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As it should.
    Closed,
    /// With a TCP reset.
    Reset,
    /// The TCP connection is closed, what speaks above it is not.
    Cut,
}

/// Follows a script, again for each request on a connection that it leaves open.
pub(crate) async fn follow<S>(peer: &mut Peer<'_, S>, script: &[Step]) -> io::Result<Ending>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        for step in script {
            if let Some(ending) = take(peer, step).await? {
                return Ok(ending);
            }
        }
    }
}

async fn take<S>(peer: &mut Peer<'_, S>, step: &Step) -> io::Result<Option<Ending>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let goes_on = match step {
        Step::ReadSome => peer.more().await?,
        Step::ReadHead => peer.head().await?.is_some(),
        Step::ReadRequest => peer.request().await?,
        Step::Write(bytes) => peer.write(bytes).await.map(|()| true)?,
        Step::Drip(bytes) => {
            for byte in bytes.chunks(1) {
                peer.repeat(byte, 1, DRIP).await?;
            }
            true
        }
        Step::Repeat(bytes, times, every) => peer.repeat(bytes, *times, *every).await.map(|()| true)?,
        Step::Hold => peer.hold().await.map(|()| false)?,
        Step::Freeze => std::future::pending().await,
        Step::End(ending) => return Ok(Some(*ending)),
    };
    Ok((!goes_on).then_some(Ending::Closed))
}
