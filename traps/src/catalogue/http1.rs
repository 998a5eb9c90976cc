//! Traps of HTTP/1.1 that answer well, late, in part or not at all.

use std::{borrow::Cow, time::Duration};

use super::{Behaviour, Trap, trap};
use crate::script::{
    DRIP, ENDLESS, Ending, OK,
    Step::{self, End, Freeze, Hold, ReadHead, ReadRequest, Repeat, Write},
};

pub(super) fn traps() -> Vec<Trap> {
    [good(), silences(), resets(), connections()].into_iter().flatten().collect()
}

fn good() -> Vec<Trap> {
    vec![
        plain(
            "ok",
            [ReadRequest, write(OK)],
            "Answers 200 at once: to check the client with.",
            "Accepted.",
            "RFC 9110 15.3.1",
        ),
        plain(
            "slow",
            [ReadRequest, Repeat(Cow::Borrowed(b""), 12, DRIP), write(OK)],
            "Answers 200 after three seconds.",
            "Accepted if its deadline is longer; else a timeout.",
            "RFC 9110 15.3.1",
        ),
    ]
}

fn silences() -> Vec<Trap> {
    vec![
        plain(
            "silent-after-accept",
            [Freeze],
            "Accepts the connection and neither reads nor writes.",
            "A timeout at its deadline; others are served meanwhile.",
            "RFC 9112 9.5",
        ),
        plain(
            "never-reads-the-body",
            [ReadHead, Freeze],
            "Reads the head of the request, and nothing more.",
            "A timeout at its deadline, however long the body is.",
            "RFC 9112 9.5",
        ),
        plain(
            "silent-after-request",
            [ReadRequest, Hold],
            "Reads the request and does not answer.",
            "A timeout at its deadline.",
            "RFC 9112 9.5",
        ),
    ]
}

fn resets() -> Vec<Trap> {
    let reset = |name, bytes: &'static [u8], does, client| {
        plain(name, [ReadRequest, write(bytes), End(Ending::Reset)], does, client, "RFC 9112 9.6")
    };
    vec![
        plain(
            "ends-without-a-byte",
            [ReadRequest, End(Ending::Closed)],
            "Reads the request and closes the connection.",
            "No answer: the connection broke.",
            "RFC 9112 9.6",
        ),
        reset(
            "reset-before-status",
            b"",
            "Resets the connection instead of answering.",
            "No answer: the connection broke.",
        ),
        reset(
            "reset-in-status",
            b"HTTP/1.1 20",
            "Resets the connection in the middle of the status line.",
            "No answer: the connection broke.",
        ),
        reset(
            "reset-after-status",
            b"HTTP/1.1 200 OK\r\n",
            "Resets the connection between the status line and the headers.",
            "No answer, as the head is not complete; or accepted, by its status.",
        ),
        reset(
            "reset-after-head",
            b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n",
            "Resets the connection before the body.",
            "Accepted: the status decides; drops the connection.",
        ),
        reset(
            "reset-in-body",
            b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab",
            "Resets the connection in the middle of the body.",
            "Accepted: the status decides; drops the connection.",
        ),
    ]
}

fn connections() -> Vec<Trap> {
    vec![
        plain(
            "413-before-body",
            [ReadHead, write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n"), End(Ending::Reset)],
            "Answers 413 once it has the head, and resets the connection.",
            "A refusal with status 413, or a broken connection if the reset destroys the answer.",
            "RFC 9112 9.6",
        ),
        plain(
            "200-before-body",
            [ReadHead, write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), End(Ending::Reset)],
            "Answers 200 once it has the head, and resets the connection.",
            "Accepted, or a broken connection if the reset destroys the answer.",
            "RFC 9112 9.6",
        ),
        plain(
            "closes-under-the-next-request",
            [ReadRequest, write(OK), ReadRequest, End(Ending::Closed)],
            "Answers 200 and keeps the connection, then closes it under the second request.",
            "Accepted, each time: repeats the request once on a fresh connection, without counting an attempt.",
            "RFC 9112 9.3.1",
        ),
    ]
}

pub(super) fn plain(
    name: &'static str,
    script: impl Into<Vec<Step>>,
    does: &'static str,
    client: &'static str,
    spec: &'static str,
) -> Trap {
    trap(name, Behaviour::Plain(script.into()), does, client, spec)
}

pub(super) fn write(bytes: impl Into<Cow<'static, [u8]>>) -> Step {
    Write(bytes.into())
}

/// Writes the same as long as it may.
pub(super) fn endless(bytes: impl Into<Cow<'static, [u8]>>, every: Duration) -> Step {
    Repeat(bytes.into(), ENDLESS, every)
}
