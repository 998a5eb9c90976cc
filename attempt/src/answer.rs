//! The result of an attempt, and what is kept of the answer.

use std::net::IpAddr;

use posthorn_domain::{
    outage::{Link, Reach},
    outcome::{Outcome, Phases},
};

use crate::mask::Masks;

/// Bytes kept of an answer's body.
const MOST_KEPT: usize = 4 << 10;
/// Bytes of a body that are read: more than are kept, so that a masked value is not cut at their end.
const MOST_GATHERED: usize = 2 * MOST_KEPT;
/// Headers kept, and bytes of their names and values, each and together: a long one hides no other.
const MOST_HEADERS: usize = 32;
const LONGEST_NAME: usize = 128;
const LONGEST_VALUE: usize = 512;
const MOST_HEADER_BYTES: usize = 4 << 10;

/// What a request came to.
#[derive(Debug, Clone)]
pub struct Answer {
    /// In a word.
    pub outcome: Outcome,
    /// What it shows about the network.
    pub reach: Reach,
    /// How long its parts took.
    pub phases: Phases,
    /// Whether there was a connection to the receiver, new or kept.
    pub is_connected: bool,
    /// How many connections were made for it.
    pub connections: u32,
    /// How often the request went out again, since the receiver had not processed it.
    pub repeats: u32,
    /// The receiver's address, else the address that was dialled last or is forbidden: for operators.
    pub address: Option<IpAddr>,
    /// The answer's headers, as far as they are kept.
    pub headers: Vec<(String, String)>,
    /// The beginning of the answer as text.
    pub body: String,
}

/// The beginning of a body.
#[derive(Debug, Default)]
pub(crate) struct Beginning(Vec<u8>);

impl Answer {
    /// No answer.
    pub fn none(outcome: Outcome) -> Self {
        Self {
            reach: Reach::of(&outcome, Link::Unmade, false),
            outcome,
            phases: Phases::default(),
            is_connected: false,
            connections: 0,
            repeats: 0,
            address: None,
            headers: Vec::new(),
            body: String::new(),
        }
    }
}

impl Beginning {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let room = MOST_GATHERED - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes that are kept, as text; other bytes are replaced.
    pub(crate) fn text(&self, masks: &Masks) -> String {
        let text = String::from_utf8_lossy(&self.0).replace('\0', "\u{fffd}");
        shortened(masks.hide(text), MOST_KEPT)
    }
}

/// The headers that are kept.
pub(crate) fn kept(headers: Vec<(String, String)>, masks: &Masks) -> Vec<(String, String)> {
    let mut room = MOST_HEADER_BYTES;
    let shorten =
        |(name, value)| (shortened(name, LONGEST_NAME), shortened(masks.hide(value), LONGEST_VALUE));
    let fits = |(name, value): &(String, String)| {
        let left = room.checked_sub(name.len() + value.len());
        room = left.unwrap_or(room);
        left.is_some()
    };
    headers.into_iter().map(shorten).filter(fits).take(MOST_HEADERS).collect()
}

/// At most so many bytes of a text.
pub(crate) fn shortened(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &[u8]) -> String {
        let mut beginning = Beginning::default();
        body.chunks(1000).for_each(|bytes| beginning.add(bytes));
        beginning.text(&Masks::default())
    }

    #[test]
    fn kept_text_is_short_and_clean() {
        assert_eq!(text(b"a\0b\xffc"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(text(&[b'x'; 10_000]).len(), MOST_KEPT);
        assert!(text(&[0xff; 10_000]).len() <= MOST_KEPT);
    }

    #[test]
    fn a_long_header_hides_no_other() {
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let headers = vec![
            pair("location", "x".repeat(9000)),
            pair("content-type", "text/html".to_owned()),
            pair("server", "y".repeat(600)),
        ];
        let kept = kept(headers, &Masks::default());
        let lengths: Vec<_> = kept.iter().map(|(name, value)| (&name[..], value.len())).collect();
        assert_eq!(lengths, [("location", 512), ("content-type", 9), ("server", 512)]);
        let many = (0..500).map(|i| pair(&format!("x-{i}"), "y".repeat(400))).collect();
        let kept = super::kept(many, &Masks::default());
        assert!(
            kept.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= MOST_HEADER_BYTES
        );
    }
}
