//! Traces: a span for the routing of each event and for each attempt, sent to a collector by OTLP over
//! HTTP; the only crate that knows OpenTelemetry.
//!
//! A trace goes from process to process as W3C Trace Context. The publisher's, if it has one, is the
//! parent of the routing; the routing is the parent of all its attempts; the attempt is what the
//! receiver gets. While traces are off no span is made, and the publisher's context goes through as it
//! is.

mod context;
mod export;
mod span;

pub use export::{CannotExport, Exporter, start};
pub use span::{Attempt, Span, attempt, routing};
