//! Events of the benchmark: a stamp, and padding up to the wanted size.

use std::{sync::LazyLock, time::Instant};

use bytes::Bytes;
use posthorn_proto::v1::{self, event::Data};
use prost::Message;

/// The event's type; every webhook of its project wants it.
pub(crate) const TYPE: &str = "bench.tick";
const STAMP: &[u8] = b"\"due_us\":";

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Microseconds on the clock of this process.
pub(crate) fn micros() -> u64 {
    START.elapsed().as_micros() as u64
}

/// An event's data: its stamp and padding, `size` bytes in all.
pub(crate) fn data(due: u64, size: usize) -> String {
    let mut data = format!("{{\"due_us\":{due},\"pad\":\"");
    let pad = size.saturating_sub(data.len() + 2);
    data.extend(std::iter::repeat_n('x', pad));
    data.push_str("\"}");
    data
}

/// An event as services publish it.
pub(crate) fn message(id: &str, company: &str, project: &str, data: String) -> Bytes {
    let event = v1::Event {
        id: id.to_owned(),
        r#type: TYPE.to_owned(),
        company_id: company.to_owned(),
        project_id: project.to_owned(),
        occurred_at: None,
        data: Some(Data::Json(data.into())),
    };
    event.encode_to_vec().into()
}

/// When the event in a request's body was due.
pub(crate) fn due(body: &[u8]) -> Option<u64> {
    let head = &body[..body.len().min(1024)];
    let start = head.windows(STAMP.len()).position(|window| window == STAMP)? + STAMP.len();
    let digits = head[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&head[start..start + digits]).ok()?.parse().ok()
}

/// The id of a run's event.
pub(crate) fn id(run: u32, number: u64) -> String {
    format!("{run}-{number}")
}

/// The id of the event in a request's body, as Posthorn writes it.
pub(crate) fn id_in(body: &[u8]) -> Option<&str> {
    let id = body.strip_prefix(b"{\"id\":\"")?.split(|byte| *byte == b'"').next()?;
    std::str::from_utf8(id).ok()
}

/// The run and the number in an id.
pub(crate) fn read_id(id: &str) -> Option<(u32, u64)> {
    let (run, number) = id.split_once('-')?;
    Some((run.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_reads_back_and_the_size_is_right() {
        let data = data(123_456, 512);
        assert_eq!(data.len(), 512);
        assert_eq!(due(data.as_bytes()), Some(123_456));
        assert_eq!(due(b"{}"), None);
        assert_eq!(read_id(&id(7, 9)), Some((7, 9)));
    }
}
