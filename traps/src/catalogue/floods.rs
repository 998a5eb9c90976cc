//! Traps that answer more than anyone wants to read.

use std::time::Duration;

use super::{
    Trap,
    http1::{endless, plain, write},
};
use crate::script::{
    OK,
    Step::{self, Hold, ReadRequest, Repeat},
};

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const FAST: Duration = Duration::ZERO;
const PAGE: &[u8] = &[b'x'; 4096];

/// What gzip starts with: its header, then a block of fixed Huffman codes with a zero and 258 more.
const GZIP_START: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0x62, 0x18, 0x05];
/// Eight times 258 zeros more.
const GZIP_ZEROS: &[u8] = &[0xa3, 0x60, 0x14, 0x8c, 0x82, 0x51, 0x30, 0x0a, 0x46, 0xc1, 0x28, 0x18, 0x05];

pub(super) fn traps() -> Vec<Trap> {
    [heads(), bodies(), interim()].into_iter().flatten().collect()
}

fn heads() -> Vec<Trap> {
    let bounded = "No HTTP answer: it bounds the bytes of a head, and closes the connection.";
    vec![
        plain(
            "endless-header",
            [ReadRequest, write(b"HTTP/1.1 200 OK\r\nx-long: "), endless(PAGE, FAST)],
            "Answers 200 with a header that never ends.",
            bounded,
            "RFC 9110 5.4",
        ),
        plain(
            "endless-headers",
            [ReadRequest, write(b"HTTP/1.1 200 OK\r\n"), endless(b"x-one: of many\r\n".repeat(256), FAST)],
            "Answers 200 with headers that never end.",
            bounded,
            "RFC 9110 5.4",
        ),
    ]
}

fn bodies() -> Vec<Trap> {
    let unread = "Accepted: the status decides; reads a bounded part of the body and closes the connection.";
    let body = |name, script: Vec<Step>, does, spec| plain(name, script, does, unread, spec);
    let gzip_head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n";
    vec![
        body(
            "body-of-5-mb",
            vec![
                ReadRequest,
                write(b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n"),
                Repeat([b'x'; 5000].to_vec().into(), 1000, FAST),
            ],
            "Answers 200 with 5 MB.",
            "RFC 9112 6.2",
        ),
        body(
            "endless-body",
            vec![ReadRequest, write(b"HTTP/1.1 200 OK\r\n\r\n"), endless(PAGE, FAST)],
            "Answers 200 with a body that never ends.",
            "RFC 9112 6.3",
        ),
        body(
            "one-byte-chunks",
            vec![ReadRequest, write(CHUNKED), endless(b"1\r\nx\r\n".repeat(512), FAST)],
            "Answers 200 with chunks of one byte, which never end.",
            "RFC 9112 7.1",
        ),
        body(
            "endless-chunk-extension",
            vec![ReadRequest, write(CHUNKED), write(b"1;x="), endless(PAGE, FAST)],
            "Answers 200 with a chunk whose extension never ends.",
            "RFC 9112 7.1.1",
        ),
        body(
            "endless-trailers",
            vec![
                ReadRequest,
                write(CHUNKED),
                write(b"0\r\n"),
                endless(b"x-one: of many\r\n".repeat(256), FAST),
            ],
            "Answers 200 with trailers that never end.",
            "RFC 9112 7.1.2",
        ),
        body(
            "gzip-bomb",
            vec![ReadRequest, write(gzip_head), write(GZIP_START), endless(GZIP_ZEROS.repeat(256), FAST)],
            "Answers 200 with gzip that grows to 158 times its length.",
            "RFC 9110 8.4.1",
        ),
    ]
}

fn interim() -> Vec<Trap> {
    let mut early_hints = b"HTTP/1.1 103 Early Hints\r\n".to_vec();
    (0..90).for_each(|number| early_hints.extend(format!("link: </{number}>\r\n").into_bytes()));
    early_hints.extend(b"\r\n");
    vec![
        plain(
            "endless-100-continue",
            [ReadRequest, endless(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(128), FAST)],
            "Answers 100 again and again.",
            "No HTTP answer: it bounds interim answers, and closes the connection.",
            "RFC 9110 15.2",
        ),
        plain(
            "200-early-hints",
            [ReadRequest, Repeat(early_hints.into(), 200, FAST), write(OK)],
            "Answers 103 with 90 headers two hundred times, then 200.",
            "No HTTP answer, as it bounds interim answers; or accepted, within its deadline.",
            "RFC 8297",
        ),
        plain(
            "switching-protocols",
            [
                ReadRequest,
                write(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
                Hold,
            ],
            "Answers 101, which was not asked for, and goes silent.",
            "No HTTP answer: it asked for no other protocol.",
            "RFC 9110 15.2.2",
        ),
    ]
}
