//! Traps of HTTP/2. To a client that speaks HTTP/1.1 they answer well.

use super::{Behaviour, Trap, trap};
use crate::http2::Manner;

pub(super) fn traps() -> Vec<Trap> {
    let http2 = |name, manner, does, client, spec| trap(name, Behaviour::Http2(manner), does, client, spec);
    vec![
        http2(
            "h2-ok",
            Manner::Well,
            "Answers 200 over HTTP/2: to check the client with.",
            "Accepted.",
            "RFC 9113 8.1",
        ),
        http2(
            "h2-refused-stream",
            Manner::RefusesStream,
            "Refuses every other request with REFUSED_STREAM, the first included.",
            "Accepted: the request was not processed; repeats it at once, without counting an attempt.",
            "RFC 9113 8.7",
        ),
        http2(
            "h2-goaway",
            Manner::GoesAway,
            "Meets the first request on every other connection with GOAWAY and last stream 0.",
            "Accepted: the request was not processed; repeats it at once on a fresh connection.",
            "RFC 9113 6.8, 8.7",
        ),
        http2(
            "h2-deaf",
            Manner::TurnsDeaf,
            "Answers three requests on a connection, then keeps it open and answers no more.",
            "One timeout; retires the connection, and the next attempt is accepted on a fresh one.",
            "RFC 9113 9.1",
        ),
        http2(
            "h2-two-streams",
            Manner::TwoStreams,
            "Takes two streams at a time, each for 100 ms, and refuses a third.",
            "Accepted: lets requests wait for a free stream, or opens more connections.",
            "RFC 9113 5.1.2",
        ),
        http2(
            "h2-long-headers",
            Manner::LongHeaders,
            "Answers 200 with 27 kB of headers.",
            "Accepted: keeps as many as it has room for.",
            "RFC 9113 10.5.1",
        ),
        http2(
            "h2-endless-headers",
            Manner::EndlessHeaders,
            "Answers 200 with headers that never end.",
            "No HTTP answer: bounds the bytes of a head, and closes the connection.",
            "RFC 9113 10.5.1",
        ),
        http2(
            "h2-data-first",
            Manner::DataFirst,
            "Answers with a body that has no headers before it.",
            "No HTTP answer: malformed.",
            "RFC 9113 8.1.1",
        ),
        http2(
            "h2-reset-after-status",
            Manner::ResetsAfterStatus,
            "Answers 200 and resets the stream before the body.",
            "Accepted: the status decides.",
            "RFC 9113 5.4.2",
        ),
    ]
}
