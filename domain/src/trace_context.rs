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
    /// Reads the two headers. Without a `traceparent` of version 00 in its right form there is no span;
    /// a `tracestate` that is too long or no header's value is left out.
    pub fn read(traceparent: Option<String>, tracestate: Option<String>) -> Option<Self> {
        let traceparent = traceparent.filter(|text| is_traceparent(text))?;
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

fn is_traceparent(text: &str) -> bool {
    text.len() == TRACEPARENT_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
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
    fn a_tracestate_that_cannot_be_sent_is_left_out() {
        for text in ["", "rojo=\r\nx: y", "rojo=é", &"r".repeat(513)] {
            assert_eq!(read(TRACEPARENT, text).unwrap().tracestate(), None, "{text:?}");
        }
        assert!(read(TRACEPARENT, &"r".repeat(512)).unwrap().tracestate().is_some());
    }
}
