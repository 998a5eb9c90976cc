//! Sends spans to a collector, in batches, from a thread of its own. A collector that is slow or gone
//! loses spans only: the queue of spans is bounded.

use std::{env, sync::OnceLock, time::Duration};

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracer, SdkTracerProvider},
};

const PATH: &str = "/v1/traces";
/// How long the last spans may take at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// There is one once traces are on.
pub(crate) static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("cannot send traces to {endpoint}: {reason}")]
pub struct CannotExport {
    endpoint: String,
    reason: String,
}

/// Sends what is left when it is finished.
pub struct Exporter(SdkTracerProvider);

/// Turns traces on: spans go to the OTLP receiver at `endpoint`, such as `http://collector:4318`, under
/// the name of `service`. The variables `OTEL_…` of the OpenTelemetry specification set the rest:
/// headers, sampling, batches, attributes of the resource.
///
/// # Errors
/// If the endpoint is no URL. Whether somebody listens there shows later.
pub fn start(endpoint: &str, service: &str, version: &'static str) -> Result<Exporter, CannotExport> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url(endpoint))
        .with_headers(Default::default())
        .build()
        .map_err(|error| CannotExport { endpoint: endpoint.to_owned(), reason: error.to_string() })?;
    let provider = SdkTracerProvider::builder()
        .with_resource(resource(service, version))
        .with_batch_exporter(exporter)
        .build();
    // Only the first call counts; a process starts once.
    let _ = TRACER.set(provider.tracer("posthorn"));
    Ok(Exporter(provider))
}

impl Exporter {
    /// Sends what is left, for a few seconds at most. Blocks.
    pub fn finish(self) {
        // Whatever fails here costs spans only.
        let _ = self.0.shutdown_with_timeout(FLUSH_TIMEOUT);
    }
}

fn url(endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    match endpoint.ends_with(PATH) {
        true => endpoint.to_owned(),
        false => format!("{endpoint}{PATH}"),
    }
}

fn resource(service: &str, version: &'static str) -> Resource {
    let resource = Resource::builder().with_attribute(KeyValue::new("service.version", version));
    match env::var_os("OTEL_SERVICE_NAME") {
        Some(_) => resource.build(),
        None => resource.with_service_name(service.to_owned()).build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_once() {
        for endpoint in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces"] {
            assert_eq!(url(endpoint), "http://c:4318/v1/traces");
        }
    }
}
