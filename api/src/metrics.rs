//! All that the API counts.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    middleware::Next,
    response::Response,
};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

pub(crate) fn describe() {
    posthorn_manage::describe_metrics();
    describe_counter!("posthorn_api_requests_total", "Requests answered, by route, method and status class");
    describe_histogram!(
        "posthorn_api_request_duration_seconds",
        Unit::Seconds,
        "From a request to its answer, by route and method"
    );
    describe_gauge!("posthorn_api_connections", "Connections to the API");
    describe_gauge!("posthorn_api_body_bytes", "Bytes of requests' bodies that are held");
}

/// So many connections are open.
pub(crate) fn connections(count: usize) {
    gauge!("posthorn_api_connections").set(count as f64);
}

/// So many bytes of bodies are held.
pub(crate) fn body_bytes(count: usize) {
    gauge!("posthorn_api_body_bytes").set(count as f64);
}

/// Counts a request.
pub(crate) async fn count(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("none", |path| path.as_str()).to_owned();
    let method = label(request.method());
    let response = next.run(request).await;
    let class = format!("{}xx", response.status().as_u16() / 100);
    counter!("posthorn_api_requests_total", "route" => route.clone(), "method" => method, "status" => class)
        .increment(1);
    histogram!("posthorn_api_request_duration_seconds", "route" => route, "method" => method)
        .record(started.elapsed());
    response
}

fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
