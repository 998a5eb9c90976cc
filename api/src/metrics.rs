//! All that the API counts.

use std::time::{Duration, Instant};

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use tokio::time::timeout;

use crate::problem::{Kind, Problem};

/// Longer than the longest attempt of a test.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn describe() {
    describe_counter!("posthorn_api_requests_total", "Requests answered, by route, method and status class");
    describe_histogram!(
        "posthorn_api_request_duration_seconds",
        Unit::Seconds,
        "From a request to its answer, by route and method"
    );
}

/// Counts a request, and answers it itself if nobody else does in time.
pub(crate) async fn count(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("none", |path| path.as_str()).to_owned();
    let method = label(request.method());
    let response = timeout(REQUEST_TIMEOUT, next.run(request)).await;
    let late = |_| Problem::new(Kind::Unavailable, "this takes too long: try again later").into_response();
    let response = response.unwrap_or_else(late);
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
