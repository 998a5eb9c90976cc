//! Reads the head of an HTTP/1 answer: the status is what counts, an odd header is left out.
//!
//! Receivers are written in a day: a control character in a cookie, a blank before a colon, a line without
//! a colon or a folded one says nothing about the delivery. Only what frames the body is taken seriously:
//! where that is odd, the connection is not used again.

use super::framing::Framing;

/// Headers of an answer that are given on; what frames the body is found among all.
const MOST_FIELDS: usize = 128;
const VERSION: &[u8] = b"HTTP/1.";
/// Characters of something else than HTTP that are shown.
const MOST_SHOWN: usize = 60;

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Names in lower case, values as text; the odd ones are left out.
    pub(super) headers: Vec<(String, String)>,
    /// Where its body ends.
    pub(super) framing: Framing,
    /// Whether the connection may carry another request once the body is read.
    pub(super) is_kept: bool,
}

/// What came is not HTTP/1: how it begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotHttp(pub(super) String);

/// A header, its name in lower case.
struct Field {
    name: String,
    value: Vec<u8>,
}

impl Head {
    /// Whether another answer follows. Not after 101: no other protocol was requested.
    pub(super) fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }
}

/// Where the head ends that these bytes begin with, behind its blank line; `seen` of them were looked at
/// before.
pub(super) fn end(bytes: &[u8], seen: usize) -> Option<usize> {
    let mut at = seen.saturating_sub(3).max(blank(bytes));
    while let Some(found) = bytes.get(at..)?.iter().position(|byte| *byte == b'\n') {
        at += found + 1;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// Line ends before the status line; they are skipped.
fn blank(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// Whether these bytes may begin an answer.
pub(super) fn check_start(bytes: &[u8]) -> Result<(), NotHttp> {
    let start = &bytes[blank(bytes)..];
    let length = start.len().min(VERSION.len());
    if start[..length] == VERSION[..length] { Ok(()) } else { Err(NotHttp(shown(start))) }
}

/// Reads a whole head, up to and with its blank line.
pub(super) fn read(bytes: &[u8]) -> Result<Head, NotHttp> {
    let mut lines = bytes[blank(bytes)..].split(|byte| *byte == b'\n').map(trim_end);
    let line = lines.next().unwrap_or_default();
    let (minor, status) = read_status(line).ok_or_else(|| NotHttp(shown(line)))?;
    let fields = read_fields(lines);
    let of = |name: &str| -> Vec<&[u8]> {
        fields.iter().filter(|field| field.name == name).map(|field| &field.value[..]).collect()
    };
    let (lengths, encodings) = (of("content-length"), of("transfer-encoding"));
    let (framing, is_kept) = Framing::of(status, minor, &lengths, &encodings, &of("connection"));
    let headers = fields.into_iter().filter_map(Field::text).take(MOST_FIELDS).collect();
    Ok(Head { status, headers, framing, is_kept })
}

/// The minor version and the status; the reason may be missing.
fn read_status(line: &[u8]) -> Option<(u8, u16)> {
    let [minor, b' ', rest @ ..] = line.strip_prefix(VERSION)? else { return None };
    let rest = rest.trim_ascii_start();
    let (digits, reason) = rest.split_at_checked(3)?;
    let is_number = digits.iter().all(u8::is_ascii_digit) && matches!(reason, [] | [b' ' | b'\t', ..]);
    let status = digits.iter().fold(0, |status, digit| status * 10 + u16::from(digit.wrapping_sub(b'0')));
    (minor.is_ascii_digit() && is_number && status >= 100).then_some((minor - b'0', status))
}

/// Skips lines that are no header, and their continuation lines.
fn read_fields<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    let mut is_open = false;
    for line in lines {
        if let [b' ' | b'\t', ..] = line {
            if let Some(field) = fields.last_mut().filter(|_| is_open) {
                field.value.push(b' ');
                field.value.extend_from_slice(line.trim_ascii());
            }
            continue;
        }
        let field = read_field(line);
        is_open = field.is_some();
        fields.extend(field);
    }
    fields
}

fn read_field(line: &[u8]) -> Option<Field> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = line[..colon].trim_ascii_end();
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let is_name = !name.is_empty() && name.iter().all(is_token);
    let name = is_name.then(|| String::from_utf8_lossy(name).to_ascii_lowercase())?;
    Some(Field { name, value: line[colon + 1..].trim_ascii().to_vec() })
}

impl Field {
    /// Name and value, unless a control character is in it. What is not UTF-8 is read as Latin-1.
    fn text(self) -> Option<(String, String)> {
        let Self { name, value } = self;
        let is_odd = value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
        let latin = |bytes: Vec<u8>| bytes.into_iter().map(char::from).collect();
        (!is_odd).then(|| (name, String::from_utf8(value).unwrap_or_else(|error| latin(error.into_bytes()))))
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The first line, as far as it is shown.
fn shown(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let text = String::from_utf8_lossy(trim_end(&line[..line.len().min(4 * MOST_SHOWN)])).into_owned();
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(MOST_SHOWN).map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(bytes: &str) -> Head {
        let bytes: Vec<u8> = bytes.chars().map(|c| c as u8).collect();
        assert_eq!(end(&bytes, 0), Some(bytes.len()), "{bytes:?}");
        read(&bytes).unwrap()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn an_odd_header_is_left_out_and_the_others_are_read() {
        for odd in
            ["set-cookie: a=\u{1}b", "x-nul: a\0b", "x a: 1", "nonsense", ": no name", "nonsense\r\n folded"]
        {
            let head = head(&format!("HTTP/1.1 200 OK\r\n{odd}\r\nx-a: 1\r\ncontent-length: 0\r\n\r\n"));
            assert_eq!(head.headers, [pair("x-a", "1"), pair("content-length", "0")], "{odd:?}");
            assert_eq!((head.status, head.framing, head.is_kept), (200, Framing::Length(0), true), "{odd:?}");
        }
    }

    #[test]
    fn what_can_be_read_is_read() {
        let value = |line: &str| head(&format!("HTTP/1.1 200\r\n{line}\r\n\r\n")).headers.remove(0);
        assert_eq!(value("X-A : 1"), pair("x-a", "1"));
        assert_eq!(value("x-a: 1\r\n  and more\r\n\tstill"), pair("x-a", "1 and more still"));
        assert_eq!(value("x-name: caf\u{e9}"), pair("x-name", "café"));
        assert_eq!(head("\r\nHTTP/1.0 204\n\n").status, 204);
        assert_eq!(head("HTTP/1.1 600 X\r\n\r\n").status, 600);
    }

    #[test]
    fn hundreds_of_headers_cost_no_status() {
        let lines: String = (0..500).map(|i| format!("x-{i}: y\r\n")).collect();
        let head = head(&format!("HTTP/1.1 200 OK\r\n{lines}content-length: 3\r\n\r\n"));
        assert_eq!((head.status, head.headers.len()), (200, MOST_FIELDS));
        assert_eq!(head.framing, Framing::Length(3), "it is found behind those that are left out");
    }

    #[test]
    fn what_is_no_status_line_is_not_http() {
        for bad in ["HTTP/1.1 2OO X", "HTTP/1.1 20", "HTTP/1.1 099 X", "HTTP/1.1200 OK", "HTTP/1.x 200 OK"] {
            assert_eq!(read(format!("{bad}\r\n\r\n").as_bytes()), Err(NotHttp(bad.to_owned())));
        }
        for good in ["", "\r\n", "H", "HTTP/1", "HTTP/1.1 2"] {
            assert_eq!(check_start(good.as_bytes()), Ok(()), "{good}");
        }
        let smtp = NotHttp("220 mail.example.com ESMTP".to_owned());
        assert_eq!(check_start(b"220 mail.example.com ESMTP\r\n"), Err(smtp));
        assert_eq!(check_start(&[0x15; 500]).unwrap_err().0.chars().count(), MOST_SHOWN);
    }

    #[test]
    fn the_end_is_found_however_the_bytes_come() {
        for whole in
            ["HTTP/1.1 200 OK\r\na: b\r\n\r\n", "HTTP/1.1 200 OK\na: b\n\n", "\r\nHTTP/1.1 200 OK\r\n\n"]
        {
            let mut seen = 0;
            for length in 1..whole.len() {
                assert_eq!(end(&whole.as_bytes()[..length], seen), None, "{length} of {whole:?}");
                seen = length;
            }
            assert_eq!(end(format!("{whole}more").as_bytes(), seen), Some(whole.len()), "{whole:?}");
        }
    }
}
