//! Frames of HTTP/2 (RFC 9113 4) and the least of HPACK (RFC 7541).

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::peer::Peer;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// The longest payload, as nobody has said that a longer one is welcome.
pub(super) const MOST_PAYLOAD: usize = 16_384;
const HEAD: usize = 9;

/// A frame that a client sent.
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

/// Reads the next frame. It may be dropped and called again: nothing is lost.
pub(super) async fn read<S>(peer: &mut Peer<'_, S>) -> io::Result<Frame>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let head = peer.arrived(HEAD).await?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    if length > MOST_PAYLOAD {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame that is too long"));
    }
    let bytes = peer.exactly(HEAD + length).await?;
    let stream = u32::from_be_bytes([bytes[5] & 0x7f, bytes[6], bytes[7], bytes[8]]);
    Ok(Frame { kind: bytes[3], flags: bytes[4], stream, payload: bytes[HEAD..].to_vec() })
}

/// The bytes of a frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a payload is short").to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// `:status: 200`, and other headers of so many bytes together.
pub(super) fn status_200(more: usize) -> Vec<u8> {
    let mut block = vec![0x88];
    let headers = more.div_ceil(1000);
    for number in 0..headers {
        block.extend(header(format!("x-{number}").as_bytes(), &vec![b'x'; more / headers]));
    }
    block
}

/// A header, spelt out and kept in no table (RFC 7541 6.2.2).
pub(super) fn header(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[0], length(name.len()).as_slice(), name, &length(value.len()), value].concat()
}

/// A number behind a prefix of seven bits (RFC 7541 5.1).
fn length(number: usize) -> Vec<u8> {
    let Some(mut rest) = number.checked_sub(127) else { return vec![number as u8] };
    let mut bytes = vec![127];
    while rest >= 128 {
        bytes.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    bytes.push(rest as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelt_as_in_the_specification() {
        assert_eq!(length(10), [10]);
        assert_eq!(length(126), [126]);
        assert_eq!(length(127), [127, 0]);
        assert_eq!(length(127 + 1210), [127, 0b1011_1010, 0b0000_1001]);
    }
}
