//! Messages of DNS (RFC 1035 4): a query's question, and answers to it.

use std::net::IpAddr;

pub(super) const SERVER_FAILS: u8 = 2;
pub(super) const NO_SUCH_NAME: u8 = 3;

const HEADER: usize = 12;
const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
/// The name of the question, wherever it is meant.
const SAME_NAME: [u8; 2] = [0xc0, HEADER as u8];

/// A question.
pub(super) struct Query<'a> {
    packet: &'a [u8],
    /// Where the question ends.
    end: usize,
    kind: u16,
    pub(super) name: String,
}

impl<'a> Query<'a> {
    /// Reads a packet with one question.
    pub(super) fn read(packet: &'a [u8]) -> Option<Self> {
        let mut at = HEADER;
        let mut labels = Vec::new();
        loop {
            let length = usize::from(*packet.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            labels.push(String::from_utf8_lossy(packet.get(at..at + length)?).into_owned());
            at += length;
        }
        let kind = u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]);
        let end = at + 4;
        (packet.len() >= end).then(|| Self { packet, end, kind, name: labels.join(".") })
    }

    pub(super) fn id(&self) -> [u8; 2] {
        [self.packet[0], self.packet[1]]
    }

    pub(super) fn wants_v4(&self) -> bool {
        self.kind == A
    }

    /// Those of the addresses that were asked for. They may not be kept.
    pub(super) fn has(&self, addresses: &[IpAddr]) -> Vec<u8> {
        let octets = addresses.iter().filter_map(|address| match address {
            IpAddr::V4(address) if self.kind == A => Some(address.octets().to_vec()),
            IpAddr::V6(address) if self.kind == AAAA => Some(address.octets().to_vec()),
            _ => None,
        });
        let records: Vec<_> = octets.map(|octets| record(self.kind, &octets)).collect();
        self.reply(0, 0, &records)
    }

    pub(super) fn fails(&self, code: u8) -> Vec<u8> {
        self.reply(0, code, &[])
    }

    pub(super) fn truncated(&self) -> Vec<u8> {
        self.reply(2, 0, &[])
    }

    pub(super) fn stands_for_itself(&self) -> Vec<u8> {
        self.reply(0, 0, &[record(CNAME, &SAME_NAME)])
    }

    fn reply(&self, flags: u8, code: u8, records: &[Vec<u8>]) -> Vec<u8> {
        let count = records.len() as u8;
        // A response, authoritative, recursion available; of the query's flags only "recursion desired".
        let flags = [0x84 | flags | self.packet[2] & 1, 0x80 | code];
        let counts = [0, 1, 0, count, 0, 0, 0, 0];
        let question = &self.packet[HEADER..self.end];
        [&self.id()[..], &flags, &counts, question, &records.concat()].concat()
    }
}

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16).to_be_bytes();
    [&SAME_NAME[..], &kind.to_be_bytes(), &[0, 1], &[0; 4], &length, data].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x07example\x03com\0\0\x01\0\x01";

    #[test]
    fn a_question_is_read() {
        let query = Query::read(QUERY).unwrap();
        assert_eq!(
            (query.name.as_str(), query.wants_v4(), query.id()),
            ("a.example.com", true, [0x12, 0x34])
        );
        for length in 0..QUERY.len() {
            assert!(Query::read(&QUERY[..length]).is_none(), "{length}");
        }
    }

    #[test]
    fn only_addresses_of_the_family_that_was_asked_for_are_answered() {
        let answer =
            Query::read(QUERY).unwrap().has(&[[127, 0, 0, 1].into(), [0, 0, 0, 0, 0, 0, 0, 1u16].into()]);
        assert!(answer.starts_with(b"\x12\x34\x85\x80\0\x01\0\x01\0\0\0\0\x01a"), "{answer:?}");
        assert!(answer.ends_with(b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04\x7f\0\0\x01"), "{answer:?}");
    }
}
