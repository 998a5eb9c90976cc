//! W3C Trace Context, version 00: `00-<32 hex>-<16 hex>-<2 hex>`.

use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;

const TRACEPARENT: &str = "traceparent";

/// Whether the text has the form of a `traceparent`.
pub fn is_traceparent(text: &str) -> bool {
    text.len() == 55 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The context that a `traceparent` names; an empty one if it names none.
pub(crate) fn read(traceparent: Option<&str>) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Header(traceparent.map(Into::into)))
}

/// The `traceparent` of a span.
pub(crate) fn write(span: &SpanContext) -> Option<String> {
    let mut header = Header(None);
    let context = Context::new().with_remote_span_context(span.clone());
    TraceContextPropagator::new().inject_context(&context, &mut header);
    header.0
}

/// The one header that we carry.
struct Header(Option<String>);

impl Extractor for Header {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.as_deref().filter(|_| key == TRACEPARENT)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

impl Injector for Header {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0 = Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_reads_back() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(is_traceparent(text));
        assert_eq!(write(read(Some(text)).span().span_context()).as_deref(), Some(text));
    }

    #[test]
    fn what_is_none_is_no_parent() {
        for text in [None, Some(""), Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"), Some("zz")]
        {
            assert!(!read(text).span().span_context().is_valid(), "{text:?}");
        }
        assert!(!is_traceparent("00-0af7651916cd43dd8448eb211c80319c"));
    }
}
