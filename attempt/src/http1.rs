//! One request and its answer on an HTTP/1 connection, whose only user the attempt is.
//!
//! The answer is read while the request is still being written: a receiver may have made up its mind
//! before it has read the body, and close. There is no task and no channel in between: what an attempt
//! waits for is its socket.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut, buf::Chain};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{answer::Beginning, failure::Failure};
use chunks::{Broken, Chunks};
use framing::Framing;
use head::Head;

mod chunks;
mod framing;
mod head;

/// Bytes read of interim answers and the answer's head, together.
const MOST_HEAD: usize = 64 << 10;
/// Interim answers (1xx) that are skipped.
pub(crate) const MOST_INTERIM: usize = 32;
/// Bytes read of an answer's body, with what frames it: the connection is closed on longer ones.
pub(crate) const MOST_BODY: usize = 64 << 10;
/// Bytes that are read at a time.
const READ: usize = 4 << 10;

/// An answer whose status is known.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    framing: Framing,
    chunks: Chunks,
    /// What came behind the head.
    unread: BytesMut,
    /// Whether the connection can be used again once the body is read.
    is_kept: bool,
}

/// Sends a request and waits for the head of its answer.
pub(crate) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    head: Vec<u8>,
    body: Bytes,
) -> Result<Answered, Failure> {
    let mut sending = Sending { rest: Bytes::from(head).chain(body), state: State::Writing };
    let mut reading = Reading::default();
    poll_fn(|context| {
        sending.go_on(stream, context);
        let head = ready!(reading.poll(stream, context))?;
        let is_kept = head.is_kept && sending.state == State::Sent;
        let Head { status, headers, framing, .. } = head;
        let unread = std::mem::take(&mut reading.buffer);
        Poll::Ready(Ok(Answered { status, headers, framing, chunks: Chunks::default(), unread, is_kept }))
    })
    .await
}

/// A request on its way.
struct Sending {
    rest: Chain<Bytes, Bytes>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Writing,
    Sent,
    /// The receiver takes no more: what it has to say to that is read.
    Refused,
}

impl Sending {
    /// Writes as much as goes.
    fn go_on<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, context: &mut Context<'_>) {
        while self.state == State::Writing {
            let written = match self.rest.has_remaining() {
                true => pin!(stream.write_buf(&mut self.rest)).poll(context),
                false => Pin::new(&mut *stream).poll_flush(context).map_ok(|()| 0),
            };
            match written {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0)) if !self.rest.has_remaining() => self.state = State::Sent,
                Poll::Ready(Ok(0) | Err(_)) => self.state = State::Refused,
                Poll::Pending => return,
            }
        }
    }
}

/// An answer's head on its way.
#[derive(Default)]
struct Reading {
    buffer: BytesMut,
    /// How much of the buffer was looked at.
    seen: usize,
    /// Interim answers, and their bytes.
    interim: usize,
    skipped: usize,
}

impl Reading {
    fn poll<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<Result<Head, Failure>> {
        loop {
            self.buffer.reserve(READ);
            let read = ready!(pin!(stream.read_buf(&mut self.buffer)).poll(context));
            let is_silent = self.buffer.is_empty() && self.skipped == 0;
            match read {
                Ok(1..) => {}
                Ok(0) if is_silent => return Poll::Ready(Err(Failure::closed().on_kept())),
                Ok(0) => return Poll::Ready(Err(Failure::closed_inside())),
                Err(error) if is_silent => return Poll::Ready(Err(Failure::broken(&error).on_kept())),
                Err(error) => return Poll::Ready(Err(Failure::broken(&error))),
            }
            if let Some(head) = self.head()? {
                return Poll::Ready(Ok(head));
            }
        }
    }

    /// The head of the answer itself, once it is whole.
    fn head(&mut self) -> Result<Option<Head>, Failure> {
        loop {
            head::check_start(&self.buffer).map_err(|other| Failure::not_http(&other.0))?;
            let Some(end) = head::end(&self.buffer, self.seen) else {
                self.seen = self.buffer.len();
                let is_short = self.skipped + self.seen <= MOST_HEAD;
                return if is_short { Ok(None) } else { Err(Failure::long_head(MOST_HEAD)) };
            };
            let head = head::read(&self.buffer.split_to(end)).map_err(|other| Failure::not_http(&other.0))?;
            if !head.is_interim() {
                return Ok(Some(head));
            }
            self.seen = 0;
            self.skipped += end;
            self.interim += 1;
            if self.interim > MOST_INTERIM {
                return Err(Failure::only_interim(MOST_INTERIM));
            }
        }
    }
}

impl Answered {
    /// Reads the body, as far as it is read at all; returns whether the connection can be used again. It may
    /// be given up at any time: what has come by then stays in `body`.
    pub(crate) async fn read_body<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        body: &mut Beginning,
    ) -> bool {
        let mut count = 0;
        loop {
            count += self.unread.len();
            match self.take(body) {
                Ok(true) => return self.is_kept && self.unread.is_empty(),
                Ok(false) if count < MOST_BODY => {}
                Ok(false) | Err(Broken) => return false,
            }
            self.unread.clear();
            self.unread.reserve(READ);
            match stream.read_buf(&mut self.unread).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return false,
            }
        }
    }

    /// Takes what has come; returns whether the body ends with it. Bytes after the end stay.
    fn take(&mut self, body: &mut Beginning) -> Result<bool, Broken> {
        let Self { unread, framing, chunks, .. } = self;
        let length = match framing {
            Framing::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(unread.len());
                body.add(&unread[..length]);
                *left -= length as u64;
                length
            }
            Framing::Chunked => chunks.read(unread, |bytes| body.add(bytes))?,
            Framing::UntilClose | Framing::Unknown => {
                body.add(unread);
                unread.len()
            }
        };
        unread.advance(length);
        Ok(match framing {
            Framing::Length(left) => *left == 0,
            Framing::Chunked => chunks.is_done(),
            Framing::UntilClose => false,
            Framing::Unknown => true,
        })
    }
}

#[cfg(test)]
mod tests;
