//! Traps of TLS.

use super::{Behaviour, Trap, trap};
use crate::{
    script::{
        Ending, OK,
        Step::{self, End, Hold, ReadRequest, ReadSome, Write},
    },
    tls::Certificate,
};

/// A fatal alert: `protocol_version`.
const PROTOCOL_VERSION: &[u8] = &[0x15, 3, 2, 0, 2, 2, 70];

pub(super) fn traps() -> Vec<Trap> {
    [certificates(), handshakes()].into_iter().flatten().collect()
}

fn certificates() -> Vec<Trap> {
    let untrusted = "No connection: the certificate is not valid; says why, in at most 1 KiB.";
    let tls = |name, certificate, does, client, spec| {
        trap(name, Behaviour::Tls(certificate, vec![ReadRequest, Write(OK.into())]), does, client, spec)
    };
    vec![
        tls(
            "tls-ok",
            Certificate::Good,
            "Answers 200 behind a good certificate of this server's authority: to check the client with.",
            "Accepted, once it trusts the authority.",
            "RFC 9325",
        ),
        tls(
            "tls-expired",
            Certificate::Expired,
            "Its certificate has expired.",
            untrusted,
            "RFC 5280 4.1.2.5",
        ),
        tls(
            "tls-other-host",
            Certificate::OtherHost,
            "Its certificate is that of another host.",
            untrusted,
            "RFC 9525 6",
        ),
        tls(
            "tls-self-signed",
            Certificate::SelfSigned,
            "Its certificate is signed by itself.",
            untrusted,
            "RFC 5280 6.1",
        ),
        tls(
            "tls-900-names",
            Certificate::ManyNames,
            "Its certificate names 900 other hosts.",
            untrusted,
            "RFC 9525 6",
        ),
        tls(
            "tls-asks-for-certificate",
            Certificate::AsksForClients,
            "Asks for the client's certificate and takes none as well.",
            "Accepted, without a certificate.",
            "RFC 8446 4.3.2",
        ),
        tls(
            "tls-demands-certificate",
            Certificate::DemandsClients,
            "Demands a certificate of the client.",
            "No connection: says that the receiver demands a client certificate.",
            "RFC 8446 4.4.2.4",
        ),
    ]
}

fn handshakes() -> Vec<Trap> {
    let no_tls = |name, script: Vec<Step>, does, client, spec| {
        trap(name, Behaviour::NoTls(script), does, client, spec)
    };
    let refusal = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    let until_the_end = b"HTTP/1.1 200 OK\r\n\r\nuntil the end";
    let old = "No connection: says that the receiver speaks no TLS that is safe.";
    vec![
        trap(
            "tls-no-close-notify",
            Behaviour::Tls(
                Certificate::Good,
                vec![ReadRequest, Write(until_the_end.into()), End(Ending::Cut)],
            ),
            "Answers 200 with a body of no given length and ends the connection without `close_notify`.",
            "Accepted: the status decides; what it read of the body may be cut short.",
            "RFC 9112 9.8",
        ),
        no_tls(
            "tls-1.1-only",
            vec![ReadSome, Write(server_hello_1_1().into()), Hold],
            "Answers in TLS 1.1.",
            old,
            "RFC 8996",
        ),
        no_tls(
            "tls-1.1-alert",
            vec![ReadSome, Write(PROTOCOL_VERSION.into()), End(Ending::Closed)],
            "Knows TLS 1.1 only and says so with an alert.",
            old,
            "RFC 8446 6.2",
        ),
        no_tls(
            "tls-plain-text",
            vec![ReadSome, Write(refusal.into()), End(Ending::Closed)],
            "Speaks HTTP without TLS.",
            "No connection: says that the receiver does not speak TLS.",
            "RFC 8446 5",
        ),
        no_tls(
            "tls-stalls",
            vec![ReadSome, Hold],
            "Goes silent in the handshake.",
            "A timeout at its deadline.",
            "RFC 8446 4",
        ),
        trap(
            "tls-drip",
            Behaviour::SlowTls,
            "Makes the handshake a byte each 250 ms.",
            "A timeout: its deadline counts from the start.",
            "RFC 8446 4",
        ),
    ]
}

/// A TLS 1.1 server's first words: a `ServerHello` of version 3.2 with an empty session,
/// TLS_RSA_WITH_AES_128_CBC_SHA and no compression.
fn server_hello_1_1() -> Vec<u8> {
    let heads = [0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    let random = [7; 32];
    [&heads[..], &random, &[0, 0, 0x2f, 0]].concat()
}
