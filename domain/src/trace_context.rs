//! W3C Trace Context: names a span, so that others, in other processes, can be its children.

const TRACEPARENT_BYTES: usize = 55;
/// The most that everybody must pass on.
const MOST_TRACESTATE_BYTES: usize = 512;

/// A span, as the headers `traceparent` and `tracestate` name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    traceparent: String,
    tracestate: Option<String>,
}

impl TraceContext {
    /// Reads the two headers. What the specification forbids in a `traceparent` is no span: ids of zeros,
    /// upper case, version ff. One of a later version is read, and passed on, as version 00. A
    /// `tracestate` that is too long or no header's value is left out.
    pub fn read(traceparent: Option<String>, tracestate: Option<String>) -> Option<Self> {
        let traceparent = read_traceparent(traceparent?)?;
        Some(Self { traceparent, tracestate: tracestate.filter(|text| is_tracestate(text)) })
    }

    /// The span itself: `00-<32 hex>-<16 hex>-<2 hex>`.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// What tracing systems on the way added for themselves.
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_deref()
    }
}

fn read_traceparent(text: String) -> Option<String> {
    let known = text.get(..TRACEPARENT_BYTES)?;
    let parts: Vec<_> = known.split('-').collect();
    let [version, trace_id, span_id, flags] = *parts.as_slice() else { return None };
    let is_good = is_hex(version, 2) && is_id(trace_id, 32) && is_id(span_id, 16) && is_hex(flags, 2);
    match version {
        _ if !is_good => None,
        "00" => (text.len() == TRACEPARENT_BYTES).then_some(text),
        "ff" => None,
        // Of its flags only "sampled" is sure to mean the same.
        _ if text.len() == TRACEPARENT_BYTES || text[TRACEPARENT_BYTES..].starts_with('-') => {
            let flags = u8::from_str_radix(flags, 16).ok()? & 1;
            Some(format!("00-{trace_id}-{span_id}-{flags:02x}"))
        }
        _ => None,
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|byte| byte != b'0')
}

fn is_tracestate(text: &str) -> bool {
    (1..=MOST_TRACESTATE_BYTES).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(traceparent: &str, tracestate: &str) -> Option<TraceContext> {
        TraceContext::read(Some(traceparent.to_owned()), Some(tracestate.to_owned()))
    }

    #[test]
    fn both_headers_are_kept_as_they_are() {
        let context = read(TRACEPARENT, "congo=t61rcWkgMzE,rojo=1").unwrap();
        assert_eq!(context.traceparent(), TRACEPARENT);
        assert_eq!(context.tracestate(), Some("congo=t61rcWkgMzE,rojo=1"));
    }

    #[test]
    fn without_a_traceparent_there_is_no_span() {
        assert_eq!(TraceContext::read(None, Some("rojo=1".to_owned())), None);
        for text in ["", "zz", &TRACEPARENT[..54], &TRACEPARENT.replace('0', "\n")] {
            assert_eq!(read(text, "rojo=1"), None, "{text:?}");
        }
    }

    #[test]
    fn what_the_specification_forbids_is_no_span() {
        let (zeros, half) = ("0".repeat(32), "0".repeat(16));
        for text in [
            format!("00-{zeros}-{half}-01"),
            TRACEPARENT.replace("0af7651916cd43dd8448eb211c80319c", &zeros),
            TRACEPARENT.replace("b7ad6b7169203331", &half),
            TRACEPARENT.to_uppercase(),
            TRACEPARENT.replacen("00", "ff", 1),
            TRACEPARENT.replace('-', "0"),
            format!("{TRACEPARENT}-more"),
            TRACEPARENT.replacen("00", "01", 1) + "x",
            TRACEPARENT.replace("01", "é"),
        ] {
            assert_eq!(read(&text, "rojo=1"), None, "{text}");
        }
    }

    #[test]
    fn a_later_version_is_passed_on_as_the_first() {
        for text in [TRACEPARENT.replacen("00", "01", 1), TRACEPARENT.replacen("00", "cc", 1) + "-more"] {
            assert_eq!(read(&text, "rojo=1").unwrap().traceparent(), TRACEPARENT, "{text}");
        }
    }

    #[test]
    fn a_tracestate_that_cannot_be_sent_is_left_out() {
        for text in ["", "rojo=\r\nx: y", "rojo=é", &"r".repeat(513)] {
            assert_eq!(read(TRACEPARENT, text).unwrap().tracestate(), None, "{text:?}");
        }
        assert!(read(TRACEPARENT, &"r".repeat(512)).unwrap().tracestate().is_some());
    }
}
