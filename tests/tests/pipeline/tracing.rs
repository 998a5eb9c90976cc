//! Traces: from the publisher through routing and attempts to the receiver, and to a collector.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{Span, span::SpanKind},
};
use posthorn_tests::{App, Receiver, always, event, eventually, statuses};
use prost::Message;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

#[tokio::test]
async fn a_trace_goes_from_the_publisher_to_the_receiver_and_the_collector() {
    let collector = Receiver::start(always(200)).await;
    let app = App::with(&[
        ("POSTHORN_OTLP_ENDPOINT", collector.url("").as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "200"),
    ])
    .await;
    let receiver = Receiver::start(statuses([503, 200])).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    let event = event("todo.created");
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    app.publisher().await.publish_traced(&event, Some(&traceparent), Some("rojo=1,congo=t61")).await.unwrap();
    let requests = receiver.receives(2).await;
    let spans = eventually("a routing and two attempts are exported", async || {
        Some(exported(&collector)).filter(|spans| spans.len() >= 3)
    })
    .await;

    let routing = of(&spans, SpanKind::Consumer).pop().expect("the event is routed");
    assert_eq!((hex(&routing.trace_id), hex(&routing.parent_span_id)), (TRACE.into(), PARENT.into()));
    assert_eq!(attributes(&routing)["messaging.message.id"], event.id);
    let attempts = of(&spans, SpanKind::Client);
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    for (attempt, request) in attempts.iter().zip(&requests) {
        assert_eq!(hex(&attempt.parent_span_id), hex(&routing.span_id), "{attempt:?}");
        let expected = format!("00-{TRACE}-{}-01", hex(&attempt.span_id));
        assert_eq!(request.header("traceparent"), expected);
        assert_eq!(request.header("tracestate"), "rojo=1,congo=t61");
    }
    let codes: Vec<_> =
        attempts.iter().map(|attempt| attributes(attempt)["http.response.status_code"].clone()).collect();
    assert_eq!(codes, ["503", "200"]);
}

#[tokio::test]
async fn a_collector_that_is_away_holds_nothing_up() {
    let app = App::with(&[("POSTHORN_OTLP_ENDPOINT", "http://127.0.0.1:1")]).await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let roles = app.start().await;

    app.publish(&event("todo.created")).await;

    let request = &receiver.receives(1).await[0];
    assert!(request.header("traceparent").ends_with("-01"), "{request:?}");
    roles.router.stop().await;
    roles.dispatcher.stop().await;
}

fn exported(collector: &Receiver) -> Vec<Span> {
    let requests = collector.to("/v1/traces");
    let batches = requests
        .iter()
        .map(|request| ExportTraceServiceRequest::decode(&*request.body).expect("the body is OTLP"));
    let resources = batches.flat_map(|batch| batch.resource_spans);
    resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
}

/// The spans of this kind, in the order in which they began.
fn of(spans: &[Span], kind: SpanKind) -> Vec<Span> {
    let mut found: Vec<_> = spans.iter().filter(|span| span.kind() == kind).cloned().collect();
    found.sort_by_key(|span| span.start_time_unix_nano);
    found
}

/// A span's attributes, all as text.
fn attributes(span: &Span) -> BTreeMap<String, String> {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let text = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let attributes = span.attributes.iter().cloned();
    attributes.map(|attribute| (attribute.key, text(attribute.value.and_then(|value| value.value)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
