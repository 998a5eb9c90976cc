//! Fields of AMQP 0-9-1 methods.

use super::error::RawError;

/// Writes the arguments of a method.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn method(class: u16, method: u16) -> Self {
        Self::default().u16(class).u16(method)
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn u8(self, number: u8) -> Self {
        self.bytes(&[number])
    }

    pub(super) fn u16(self, number: u16) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn u32(self, number: u32) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn u64(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    /// A short string: its first 255 bytes.
    pub(super) fn short(self, text: &[u8]) -> Self {
        let text = &text[..text.len().min(usize::from(u8::MAX))];
        self.u8(text.len() as u8).bytes(text)
    }

    pub(super) fn long(self, text: &[u8]) -> Self {
        self.u32(text.len() as u32).bytes(text)
    }

    /// A table, whose entries are written already.
    pub(super) fn table(self, entries: &[u8]) -> Self {
        self.long(entries)
    }
}

/// Reads the arguments of a method.
#[derive(Debug)]
pub(super) struct Reader {
    bytes: Vec<u8>,
    at: usize,
}

impl Reader {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn u8(&mut self) -> Result<u8, RawError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, RawError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, RawError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, RawError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn short(&mut self) -> Result<Vec<u8>, RawError> {
        let length = self.u8()?.into();
        self.take(length).map(<[u8]>::to_vec)
    }

    pub(super) fn rest(mut self) -> Vec<u8> {
        self.bytes.split_off(self.at)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RawError> {
        self.take(N).map(|bytes| bytes.try_into().expect("as many were taken"))
    }

    fn take(&mut self, count: usize) -> Result<&[u8], RawError> {
        let taken = self.bytes.get(self.at..self.at + count);
        self.at += count;
        taken.ok_or(RawError::Unexpected("a frame that is too short"))
    }
}
