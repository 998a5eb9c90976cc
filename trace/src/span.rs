//! The spans, named and attributed as OpenTelemetry's conventions for messaging and HTTP ask.

use opentelemetry::{
    KeyValue,
    trace::{Span as _, SpanKind, Status, Tracer},
};
use opentelemetry_sdk::trace::SdkTracer;
use posthorn_domain::{
    event::Event,
    id::{EventRef, WebhookId},
    outcome::Outcome,
    trace_context::TraceContext,
};

use crate::{context, export::TRACER};

/// A running span. It ends when it is dropped.
pub struct Span(opentelemetry_sdk::trace::Span);

/// An attempt that begins.
pub struct Attempt<'a> {
    /// The event.
    pub event: EventRef,
    /// Its producer's id.
    pub event_id: &'a str,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The attempt's number, from 1.
    pub number: u32,
    /// The receiving host; a whole URL may hold secrets.
    pub host: Option<&'a str>,
}

/// Begins the span of an event's routing, a child of the publisher's; `None` while traces are off.
pub fn routing(event: &Event, parent: Option<&TraceContext>) -> Option<Span> {
    let tracer = TRACER.get()?;
    let attributes = vec![
        KeyValue::new("messaging.system", "rabbitmq"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("messaging.message.id", event.id.to_string()),
        KeyValue::new("posthorn.event.ref", event.event_ref().to_string()),
        KeyValue::new("posthorn.event.type", event.event_type.clone()),
    ];
    Some(begin(tracer, "route", SpanKind::Consumer, attributes, parent))
}

/// Begins the span of an attempt, a child of the routing; `None` while traces are off.
pub fn attempt(attempt: Attempt<'_>, parent: Option<&TraceContext>) -> Option<Span> {
    let tracer = TRACER.get()?;
    let Attempt { event, event_id, webhook_id, number, host } = attempt;
    let mut attributes = vec![
        KeyValue::new("http.request.method", "POST"),
        KeyValue::new("messaging.message.id", event_id.to_owned()),
        KeyValue::new("posthorn.event.ref", event.to_string()),
        KeyValue::new("posthorn.webhook.id", webhook_id.to_string()),
        KeyValue::new("posthorn.attempt", i64::from(number)),
    ];
    attributes.extend(host.map(|host| KeyValue::new("server.address", host.to_owned())));
    Some(begin(tracer, "attempt", SpanKind::Client, attributes, parent))
}

fn begin(
    tracer: &SdkTracer,
    name: &'static str,
    kind: SpanKind,
    attributes: Vec<KeyValue>,
    parent: Option<&TraceContext>,
) -> Span {
    let builder = tracer.span_builder(name).with_kind(kind).with_attributes(attributes);
    Span(builder.start_with_context(tracer, &context::read(parent)))
}

impl Span {
    /// What names this span as a parent.
    pub fn context(&self) -> Option<TraceContext> {
        context::write(self.0.span_context())
    }

    /// Notes how many webhooks want the event.
    pub fn wanted_by(&mut self, webhooks: usize) {
        self.0.set_attribute(KeyValue::new("posthorn.webhooks", webhooks as i64));
    }

    /// Notes what the attempt came to, and ends it.
    pub fn end_attempt(mut self, outcome: &Outcome) {
        self.0.set_attribute(KeyValue::new("posthorn.outcome", outcome.label()));
        if let Some(status) = outcome.status() {
            self.0.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        }
        let error = match outcome {
            Outcome::Accepted { .. } => return,
            Outcome::Refused { status, .. } => status.to_string(),
            Outcome::Gone | Outcome::Interrupted => outcome.label().to_owned(),
            Outcome::Unreachable { class, .. } => class.label().to_owned(),
        };
        self.0.set_status(Status::error(error.clone()));
        self.0.set_attribute(KeyValue::new("error.type", error));
    }
}
