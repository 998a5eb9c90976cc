//! Between OpenTelemetry's contexts and ours.

use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use posthorn_domain::trace_context::TraceContext;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// The context that has this span as its parent; an empty one without.
pub(crate) fn read(parent: Option<&TraceContext>) -> Context {
    match parent {
        Some(parent) => TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(parent)),
        None => Context::new(),
    }
}

/// What names a span to others.
pub(crate) fn write(span: &SpanContext) -> Option<TraceContext> {
    let mut headers = Written::default();
    let context = Context::new().with_remote_span_context(span.clone());
    TraceContextPropagator::new().inject_context(&context, &mut headers);
    TraceContext::read(headers.traceparent, headers.tracestate)
}

struct Headers<'a>(&'a TraceContext);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => Some(self.0.traceparent()),
            TRACESTATE => self.0.tracestate(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}

#[derive(Default)]
struct Written {
    traceparent: Option<String>,
    tracestate: Option<String>,
}

impl Injector for Written {
    fn set(&mut self, key: &str, value: String) {
        match key {
            TRACEPARENT => self.traceparent = Some(value),
            TRACESTATE => self.tracestate = Some(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(tracestate: Option<&str>) -> TraceContext {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
        TraceContext::read(Some(traceparent), tracestate.map(Into::into)).unwrap()
    }

    #[test]
    fn a_context_reads_back() {
        for tracestate in [None, Some("congo=t61rcWkgMzE,rojo=1")] {
            let context = context(tracestate);
            assert_eq!(write(read(Some(&context)).span().span_context()), Some(context));
        }
    }

    #[test]
    fn none_is_no_parent() {
        assert!(!read(None).span().span_context().is_valid());
        assert_eq!(write(&SpanContext::empty_context()), None);
    }
}
