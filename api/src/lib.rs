//! The management API: use cases over HTTP.
//!
//! A connection has a place (`serve`). A request passes, from outside in: its id, its metrics, its deadline,
//! what no request may hold (`legible`), CORS, and its handler, which takes first of all a `caller::By`, the
//! right to make it; then, if it has one, its body, which is counted (`bodies`). A handler in `json` reads the
//! request, asks a use case of `posthorn-manage` and writes what it answers: here nothing is decided. The
//! OpenAPI document is made of the handlers themselves.

mod answer;
mod bodies;
mod body;
mod caller;
mod deadline;
mod document;
mod json;
mod legible;
mod metrics;
mod once;
mod page;
mod problem;
mod query;
mod request_id;
mod serve;
mod state;
mod version;

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, header},
    middleware,
    response::Html,
    routing::get,
};
use bytes::Bytes;
use posthorn_manage::Rates;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::cors::CorsLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    bodies::Bodies,
    document::Document,
    problem::{Kind, Problem},
    serve::Limits,
    state::{Api, Shared},
};

pub use state::Settings;

/// The page needs nothing but its own styles.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Serves requests on this socket until `stop`; on `stop` finishes those that run.
pub async fn run(
    listener: TcpListener,
    manage: posthorn_manage::Shared,
    settings: Settings,
    stop: &CancellationToken,
) {
    metrics::describe();
    let limits = Limits { connections: settings.connections, idle: settings.idle };
    let api = Arc::new(Api {
        rates: Rates::new(settings.requests_per_second),
        company_requests: Rates::new(settings.company_requests_per_second),
        bodies: Bodies::new(settings.bodies_bytes, settings.most_body_bytes),
        manage,
        settings,
    });
    serve::serve(listener, router(api), limits, stop).await;
}

fn router(api: Shared) -> Router {
    let routes = OpenApiRouter::with_openapi(Document::openapi()).merge(json::all());
    let (router, document) = routes.split_for_parts();
    let document = document::complete(document);
    let page = Bytes::from(page::write(&document));
    // Written once: anybody may ask for it, as often as they like.
    let document = Bytes::from(document.to_string());
    let router = router
        .route(
            "/openapi.json",
            get(async move || ([(header::CONTENT_TYPE, "application/json")], document.clone())),
        )
        .route(
            "/docs",
            get(async move || ([(header::CONTENT_SECURITY_POLICY, CONTENT_POLICY)], Html(page.clone()))),
        )
        .fallback(async || Problem::new(posthorn_manage::Kind::NotFound, "there is no such path: see /docs"))
        .method_not_allowed_fallback(async || Problem::new(Kind::MethodNotAllowed, "see /docs"));
    let router = match cors(&api.settings.allow_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router
        .layer(middleware::from_fn(legible::check))
        .layer(middleware::from_fn(deadline::keep))
        .layer(middleware::from_fn(metrics::count))
        .layer(middleware::from_fn(request_id::identify))
        .layer(middleware::from_fn(legible::mark))
        .with_state(api)
}

/// Lets pages of these origins use the API; none if there are none.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<_> = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let sent = [header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_MATCH];
    let own = ["idempotency-key", "x-request-id"].map(HeaderName::from_static);
    let shown =
        [header::ETAG, header::LOCATION, header::RETRY_AFTER, HeaderName::from_static("x-request-id")];
    Some(
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers(sent.into_iter().chain(own).collect::<Vec<_>>())
            .expose_headers(shown),
    )
}
