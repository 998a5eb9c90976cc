//! Traps that answer a byte at a time.

use super::{
    Trap,
    http1::{endless, plain, write},
};
use crate::script::{
    DRIP,
    Step::{self, Drip, ReadRequest},
};

pub(super) fn traps() -> Vec<Trap> {
    let drip = |name, script: Vec<Step>, does, client| plain(name, script, does, client, "RFC 9112 9.5");
    let late = "Its deadline counts from the start, not from the last byte: an answer if it is whole by then, else a timeout.";
    let never = "A timeout at its deadline.";
    let status = "The status decides; reads the body no longer than to its deadline.";
    vec![
        drip(
            "drip-status-200",
            vec![ReadRequest, Drip(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into())],
            "Answers 200, a byte of it each 250 ms.",
            late,
        ),
        drip(
            "drip-status-500",
            vec![ReadRequest, Drip(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".into())],
            "Answers 500, a byte of it each 250 ms.",
            late,
        ),
        drip(
            "drip-header-200",
            vec![ReadRequest, write(b"HTTP/1.1 200 OK\r\nx-drip: "), endless(b"x", DRIP)],
            "Answers 200 with a header that grows by a byte each 250 ms.",
            never,
        ),
        drip(
            "drip-header-500",
            vec![ReadRequest, write(b"HTTP/1.1 500 No\r\nx-drip: "), endless(b"x", DRIP)],
            "Answers 500 with a header that grows by a byte each 250 ms.",
            never,
        ),
        drip(
            "drip-body-200",
            vec![
                ReadRequest,
                write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"),
                endless(b"x", DRIP),
            ],
            "Answers 200 with a body that grows by a byte each 250 ms.",
            status,
        ),
        drip(
            "drip-body-500",
            vec![
                ReadRequest,
                write(b"HTTP/1.1 500 No\r\ncontent-length: 100000\r\n\r\n"),
                endless(b"x", DRIP),
            ],
            "Answers 500 with a body that grows by a byte each 250 ms.",
            status,
        ),
    ]
}
