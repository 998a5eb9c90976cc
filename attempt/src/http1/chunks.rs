//! Reads a body that comes in chunks (RFC 9112, 7.1).

/// How far the chunks are read.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    part: Part,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    /// A chunk's size, so far.
    Size { size: u64, digits: u8 },
    /// What follows the size on its line.
    Extension { size: u64 },
    /// So much of the chunk is to come.
    Data(u64),
    /// The line end behind it.
    DataEnd,
    /// Fields behind the last chunk; so long is this line.
    Trailer { length: usize },
    /// It is read.
    Done,
}

impl Default for Part {
    fn default() -> Self {
        Self::Size { size: 0, digits: 0 }
    }
}

/// What came is no chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl Chunks {
    pub(super) fn is_done(&self) -> bool {
        matches!(self.part, Part::Done)
    }

    /// Reads on, gives the body's bytes to `take`, and returns how many of these it has read: all, unless the
    /// body is done.
    pub(super) fn read(&mut self, bytes: &[u8], mut take: impl FnMut(&[u8])) -> Result<usize, Broken> {
        let mut at = 0;
        while at < bytes.len() && !self.is_done() {
            if let Part::Data(left) = self.part {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                take(&bytes[at..at + length]);
                at += length;
                let left = left - length as u64;
                self.part = if left == 0 { Part::DataEnd } else { Part::Data(left) };
                continue;
            }
            self.part = self.part.behind(bytes[at])?;
            at += 1;
        }
        Ok(at)
    }
}

impl Part {
    /// The part behind this byte.
    fn behind(self, byte: u8) -> Result<Self, Broken> {
        Ok(match (self, byte) {
            (Self::Size { size, digits }, byte) if byte.is_ascii_hexdigit() && digits < 15 => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                Self::Size { size: size * 16 + u64::from(digit), digits: digits + 1 }
            }
            (Self::Size { size, digits: 1.. } | Self::Extension { size }, b'\n') => match size {
                0 => Self::Trailer { length: 0 },
                size => Self::Data(size),
            },
            (Self::Size { size, digits: 1.. }, b';' | b' ' | b'\t' | b'\r')
            | (Self::Extension { size }, _) => Self::Extension { size },
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::default(),
            (Self::Trailer { length: 0 }, b'\n') => Self::Done,
            (Self::Trailer { .. }, b'\n') => Self::Trailer { length: 0 },
            (Self::Trailer { length }, b'\r') => Self::Trailer { length },
            (Self::Trailer { length }, _) => Self::Trailer { length: length + 1 },
            (Self::Size { .. } | Self::DataEnd | Self::Data(_) | Self::Done, _) => return Err(Broken),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], step: usize) -> (Result<usize, Broken>, bool, Vec<u8>) {
        let (mut chunks, mut body, mut count) = (Chunks::default(), Vec::new(), 0);
        for piece in bytes.chunks(step) {
            match chunks.read(piece, |data| body.extend_from_slice(data)) {
                Ok(read) => count += read,
                Err(broken) => return (Err(broken), chunks.is_done(), body),
            }
        }
        (Ok(count), chunks.is_done(), body)
    }

    #[test]
    fn chunks_are_read_however_they_come() {
        let whole = b"5\r\nhello\r\n1;x=\"y\"\r\n!\r\n0\r\nx-trailer: 1\r\n\r\n";
        let more = [&whole[..], b"HTTP/1.1 410 Gone"].concat();
        for step in [1, 2, 3, 7, more.len()] {
            assert_eq!(read(&more, step), (Ok(whole.len()), true, b"hello!".to_vec()), "{step}");
        }
        assert_eq!(read(b"3\nabc\n0\n\n", 100), (Ok(9), true, b"abc".to_vec()));
        assert_eq!(read(b"5\r\nhel", 100), (Ok(6), false, b"hel".to_vec()));
    }

    #[test]
    fn what_is_no_chunk_ends_the_body() {
        for bad in ["zz\r\nx", "\r\n", "-1\r\n", "3\r\nabcd\r\n", "fffffffffffffffff\r\n"] {
            assert_eq!(read(bad.as_bytes(), 100).0, Err(Broken), "{bad}");
        }
    }
}
