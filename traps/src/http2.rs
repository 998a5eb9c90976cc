//! HTTP/2 by hand, as far as it takes to do it wrong (RFC 9113).

mod frames;

use std::{collections::VecDeque, io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};

use crate::{
    peer::Peer,
    script::{ALWAYS_OK, Ending, follow},
};
use frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, frame, status_200,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const REFUSED_STREAM: u32 = 7;
const INTERNAL_ERROR: u32 = 2;
/// How long a trap that takes few streams at a time works on each.
const WORK: Duration = Duration::from_millis(100);
const FAR: Duration = Duration::from_secs(3600);

/// In what way a trap does it wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Not at all.
    Well,
    /// Refuses every other request.
    RefusesStream,
    /// Says, on every other connection, that it has processed nothing and goes.
    GoesAway,
    /// Answers three requests on a connection, then no more.
    TurnsDeaf,
    /// Takes two streams at a time.
    TwoStreams,
    /// Answers with 27 kB of headers.
    LongHeaders,
    /// Answers with a body before any header.
    DataFirst,
    /// Resets the stream after the headers.
    ResetsAfterStatus,
    /// Answers with headers that never end.
    EndlessHeaders,
}

/// What has happened on this connection, and on the trap.
struct Conversation {
    manner: Manner,
    /// How many connections this trap had before.
    connection: usize,
    answered: usize,
    /// Requests that wait for their answer.
    open: VecDeque<Open>,
}

/// A request that waits for its answer.
struct Open {
    stream: u32,
    /// How many requests the trap had before.
    number: usize,
    due: Instant,
}

/// Speaks HTTP/2 to clients that do; answers others well.
pub(crate) async fn converse<S>(
    peer: &mut Peer<'_, S>,
    manner: Manner,
    connection: usize,
) -> io::Result<Ending>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if peer.arrived(4).await?[..4] != PREFACE[..4] {
        return follow(peer, ALWAYS_OK).await;
    }
    peer.exactly(PREFACE.len()).await?;
    peer.write(&frame(SETTINGS, 0, 0, manner.settings())).await?;
    let mut conversation = Conversation { manner, connection, answered: 0, open: VecDeque::new() };
    loop {
        let due = conversation.open.front().map_or_else(|| Instant::now() + FAR, |open| open.due);
        match timeout_at(due, frames::read(peer)).await {
            Ok(frame) => conversation.take(peer, frame?).await?,
            Err(_) => {
                let next = conversation.open.pop_front();
                if let Some(open) = next
                    && let Some(ending) = conversation.answer(peer, open).await?
                {
                    return Ok(ending);
                }
            }
        }
    }
}

impl Manner {
    fn settings(self) -> &'static [u8] {
        // SETTINGS_MAX_CONCURRENT_STREAMS = 2
        if self == Self::TwoStreams { &[0, 3, 0, 0, 0, 2] } else { &[] }
    }
}

impl Conversation {
    async fn take<S>(&mut self, peer: &mut Peer<'_, S>, received: Frame) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let is_ack = received.flags & 1 != 0;
        match received.kind {
            SETTINGS if !is_ack => peer.write(&frame(SETTINGS, 1, 0, &[])).await?,
            PING if !is_ack => peer.write(&frame(PING, 1, 0, &received.payload)).await?,
            DATA if !received.payload.is_empty() => {
                let length = (received.payload.len() as u32).to_be_bytes();
                peer.write(&frame(WINDOW_UPDATE, 0, 0, &length)).await?;
            }
            _ => {}
        }
        if matches!(received.kind, HEADERS | DATA) && received.flags & END_STREAM != 0 {
            let number = peer.requested();
            return self.arrived(peer, received.stream, number).await;
        }
        Ok(())
    }

    /// A request has arrived whole.
    async fn arrived<S>(&mut self, peer: &mut Peer<'_, S>, stream: u32, number: usize) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if self.manner != Manner::TwoStreams {
            self.open.push_back(Open { stream, number, due: Instant::now() });
        } else if self.open.len() < 2 {
            let last = self.open.back().map_or_else(Instant::now, |open| open.due);
            self.open.push_back(Open { stream, number, due: last.max(Instant::now()) + WORK });
        } else {
            peer.write(&frame(RST_STREAM, 0, stream, &REFUSED_STREAM.to_be_bytes())).await?;
        }
        Ok(())
    }

    async fn answer<S>(&mut self, peer: &mut Peer<'_, S>, open: Open) -> io::Result<Option<Ending>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.answered += 1;
        let stream = open.stream;
        let well = frame(HEADERS, END_HEADERS | END_STREAM, stream, &status_200(0));
        match self.manner {
            Manner::RefusesStream if open.number.is_multiple_of(2) => {
                peer.write(&frame(RST_STREAM, 0, stream, &REFUSED_STREAM.to_be_bytes())).await?;
            }
            Manner::GoesAway if self.connection.is_multiple_of(2) => {
                peer.write(&frame(GOAWAY, 0, 0, &[0; 8])).await?;
                peer.hold().await?;
                return Ok(Some(Ending::Closed));
            }
            Manner::TurnsDeaf if self.answered > 3 => {}
            Manner::LongHeaders => headers(peer, stream, &status_200(27_000)).await?,
            Manner::DataFirst => peer.write(&frame(DATA, END_STREAM, stream, b"ok")).await?,
            Manner::ResetsAfterStatus => {
                peer.write(&frame(HEADERS, END_HEADERS, stream, &status_200(0))).await?;
                peer.write(&frame(RST_STREAM, 0, stream, &INTERNAL_ERROR.to_be_bytes())).await?;
            }
            Manner::EndlessHeaders => {
                peer.write(&frame(HEADERS, 0, stream, &status_200(0))).await?;
                let more = frame(CONTINUATION, 0, stream, &frames::header(b"x-more", &[b'x'; 8000]));
                peer.repeat(&more, u64::MAX, Duration::ZERO).await?;
            }
            Manner::Well
            | Manner::TwoStreams
            | Manner::RefusesStream
            | Manner::GoesAway
            | Manner::TurnsDeaf => peer.write(&well).await?,
        }
        Ok(None)
    }
}

/// Writes headers that take several frames.
async fn headers<S>(peer: &mut Peer<'_, S>, stream: u32, block: &[u8]) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (first, rest) = block.split_at(block.len().min(frames::MOST_PAYLOAD));
    let ends = |last| if last { END_HEADERS } else { 0 };
    peer.write(&frame(HEADERS, END_STREAM | ends(rest.is_empty()), stream, first)).await?;
    let count = rest.len().div_ceil(frames::MOST_PAYLOAD);
    for (number, part) in rest.chunks(frames::MOST_PAYLOAD).enumerate() {
        peer.write(&frame(CONTINUATION, ends(number + 1 == count), stream, part)).await?;
    }
    Ok(())
}
