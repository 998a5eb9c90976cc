//! Where the body of an HTTP/1 answer ends.

/// Where the body of an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// After its last chunk.
    Chunked,
    /// With the connection.
    UntilClose,
    /// Unknown: only the bytes that came with the head are read.
    Unknown,
}

impl Framing {
    /// Decides by these headers of an answer (RFC 9112, 6.3), and whether the connection can be used again
    /// behind the body.
    pub(super) fn of(
        status: u16,
        minor: u8,
        lengths: &[&[u8]],
        encodings: &[&[u8]],
        connection: &[&[u8]],
    ) -> (Self, bool) {
        let said = |word: &str| tokens(connection).any(|token| token.eq_ignore_ascii_case(word.as_bytes()));
        let stays = if minor == 0 { said("keep-alive") } else { !said("close") };
        let length = length(lengths);
        match (status, tokens(encodings).next_back(), length) {
            // No body follows; one that is announced all the same may come behind it.
            (101, ..) => (Self::Length(0), false),
            (204, None, Ok(None | Some(0))) => (Self::Length(0), stays),
            (204, ..) => (Self::Length(0), false),
            (304, ..) => (Self::Length(0), stays),
            (_, Some(last), _) if last.eq_ignore_ascii_case(b"chunked") && minor > 0 => {
                // A length besides is how requests are smuggled.
                (Self::Chunked, stays && lengths.is_empty())
            }
            (_, Some(_), _) => (Self::UntilClose, false),
            (_, None, Ok(Some(length))) => (Self::Length(length), stays),
            (_, None, Ok(None)) => (Self::UntilClose, false),
            (_, None, Err(())) => (Self::Unknown, false),
        }
    }
}

/// The length that all say; an error if it is none, or if they differ.
fn length(values: &[&[u8]]) -> Result<Option<u64>, ()> {
    if values.is_empty() {
        return Ok(None);
    }
    let mut all = values.iter().flat_map(|value| value.split(|byte| *byte == b',')).map(|value| {
        let text =
            str::from_utf8(value.trim_ascii()).ok().filter(|text| text.bytes().all(|c| c.is_ascii_digit()));
        text.and_then(|text| text.parse::<u64>().ok()).ok_or(())
    });
    let first = all.next().unwrap_or(Err(()))?;
    all.all(|other| other == Ok(first)).then_some(Some(first)).ok_or(())
}

fn tokens<'a>(values: &'a [&'a [u8]]) -> impl DoubleEndedIterator<Item = &'a [u8]> {
    let parts = values.iter().flat_map(|value| value.split(|byte| *byte == b','));
    parts.map(|part| part.trim_ascii()).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_where_the_headers_say() {
        let of = |lengths: &[&[u8]], encodings: &[&[u8]]| Framing::of(200, 1, lengths, encodings, &[]);
        assert_eq!(of(&[b"5"], &[]), (Framing::Length(5), true));
        assert_eq!(of(&[b"5", b"5, 5"], &[]), (Framing::Length(5), true));
        assert_eq!(of(&[], &[b"gzip, Chunked"]), (Framing::Chunked, true));
        assert_eq!(of(&[b"5"], &[b"chunked"]), (Framing::Chunked, false), "smuggling");
        assert_eq!(of(&[], &[b"gzip"]), (Framing::UntilClose, false));
        assert_eq!(of(&[], &[]), (Framing::UntilClose, false));
    }

    #[test]
    fn an_odd_length_ends_with_what_has_come() {
        for odd in [
            &[b"2" as &[u8], b"5"][..],
            &[b""],
            &[b"-1"],
            &[b"+1"],
            &[b"1,"],
            &[b"99999999999999999999"],
            &[b"0\x01"],
        ] {
            assert_eq!(Framing::of(200, 1, odd, &[], &[]), (Framing::Unknown, false), "{odd:?}");
        }
    }

    #[test]
    fn a_connection_is_kept_only_where_the_next_answer_begins_behind_this_one() {
        let kept = |status, minor, lengths: &[&[u8]], connection: &[&[u8]]| {
            Framing::of(status, minor, lengths, &[], connection).1
        };
        assert!(kept(200, 1, &[b"0"], &[]));
        assert!(!kept(200, 1, &[b"0"], &[b"Upgrade, Close"]));
        assert!(!kept(200, 0, &[b"0"], &[]));
        assert!(kept(200, 0, &[b"0"], &[b"Keep-Alive"]));
        assert!(kept(204, 1, &[], &[]));
        assert!(!kept(204, 1, &[b"5"], &[]), "a body may follow all the same");
        assert!(!kept(101, 1, &[], &[]));
    }
}
