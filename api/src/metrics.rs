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
    describe_counter!("posthorn_api_requests_total", "Requests answered, by route, method and status class");
    describe_histogram!(
        "posthorn_api_request_duration_seconds",
        Unit::Seconds,
        "From a request to its answer, by route and method"
    );
    describe_counter!(
        "posthorn_api_refused_total",
        "What was refused to one so that others are served, by reason: a rate, a quota or a share"
    );
    describe_gauge!("posthorn_api_connections", "Connections to the API");
    describe_gauge!("posthorn_api_body_bytes", "Bytes of requests' bodies that are held");
    for reason in Refused::ALL {
        counter!("posthorn_api_refused_total", "reason" => reason.label()).absolute(0);
    }
}

/// What is refused to one so that others are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A token makes too many requests.
    TokenRequests,
    /// A company's tokens make too many requests.
    CompanyRequests,
    /// A company has too many events published.
    CompanyEvents,
    /// A webhook that does not fit into its company's quotas.
    CompanyQuota,
    /// Too many tokens that are not known came from one address.
    UnknownTokens,
    /// The bodies of a token's requests take too much memory.
    TokenBodies,
    /// The bodies of all requests take too much memory.
    Bodies,
    /// Too many checks against schemas.
    Checks,
    /// Too many tests of webhooks.
    Tests,
}

impl Refused {
    const ALL: [Self; 9] = [
        Self::TokenRequests,
        Self::CompanyRequests,
        Self::CompanyEvents,
        Self::CompanyQuota,
        Self::UnknownTokens,
        Self::TokenBodies,
        Self::Bodies,
        Self::Checks,
        Self::Tests,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::TokenRequests => "token_requests",
            Self::CompanyRequests => "company_requests",
            Self::CompanyEvents => "company_events",
            Self::CompanyQuota => "company_quota",
            Self::UnknownTokens => "unknown_tokens",
            Self::TokenBodies => "token_bodies",
            Self::Bodies => "bodies",
            Self::Checks => "checks",
            Self::Tests => "tests",
        }
    }
}

/// Something was refused.
pub(crate) fn refused(what: Refused) {
    counter!("posthorn_api_refused_total", "reason" => what.label()).increment(1);
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
