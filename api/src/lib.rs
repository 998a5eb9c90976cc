//! The management API: webhooks, events, deliveries, replays, tokens over HTTP.
//!
//! A connection has a place (`serve`). A request passes, from outside in: its id, its metrics and deadline,
//! what no request may hold (`legible`), CORS, and its handler, which takes first of all a `caller::May`, the
//! right to make it; then, if it has one, its body, which is counted (`bodies`). What a handler decides is in the domain, what it
//! asks is in the store; `routes` has a file for each resource. The OpenAPI document is made of the
//! handlers themselves.

mod access;
mod actions;
mod bodies;
mod body;
mod caller;
mod checks;
mod deadline;
mod document;
mod id;
mod legible;
mod metrics;
mod once;
mod page;
mod problem;
mod query;
mod rates;
mod request_id;
mod routes;
mod schema;
mod serve;
mod shares;
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
use posthorn_attempt::{CannotPrepare, Receivers};
use posthorn_broker::Client;
use posthorn_domain::keyring::KeyRing;
use posthorn_store::{AccessUpdate, Store};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;
use tower_http::cors::CorsLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    access::Access,
    actions::Actions,
    bodies::Bodies,
    checks::Checks,
    document::Document,
    problem::{Kind, Problem},
    rates::Rates,
    serve::Limits,
    shares::Shares,
    state::{Api, Shared},
};

pub use state::Settings;

/// The most tests of webhooks that run at a time, and of those of one tenant.
const MOST_TESTS: usize = 32;
const MOST_TESTS_OF_ONE: usize = 4;
/// The most changes of webhooks that run at a time; those of one webhook run one after the other.
const MOST_CHANGES: usize = 1024;
/// The page needs nothing but its own styles.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Why the API cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The HTTP client for tests of webhooks.
    #[error(transparent)]
    Client(#[from] CannotPrepare),
}

/// What the API works with.
pub struct Parts {
    /// The socket that it listens on.
    pub listener: TcpListener,
    /// The database.
    pub store: Store,
    /// The broker.
    pub client: Arc<Client>,
    /// Encrypts secrets.
    pub keys: KeyRing,
    /// What changes of tokens and schemas.
    pub access: mpsc::Receiver<AccessUpdate>,
}

/// Serves requests until `stop`; on `stop` finishes those that run, and what they have begun.
///
/// # Errors
/// If the HTTP client cannot be prepared.
pub async fn run(parts: Parts, settings: Settings, stop: CancellationToken) -> Result<(), ApiError> {
    metrics::describe();
    let Parts { listener, store, client, keys, access } = parts;
    let api = Arc::new(Api {
        rates: Rates::new(settings.requests_per_second),
        receivers: Receivers::new(settings.addresses.clone(), &settings.name_servers, 0)?,
        company_requests: Rates::new(settings.company_requests_per_second),
        company_events: Rates::new(settings.company_events_per_second),
        access: Access::new(),
        checks: Checks::new(),
        bodies: Bodies::new(settings.bodies_bytes, settings.most_body_bytes),
        tests: Shares::new(MOST_TESTS, MOST_TESTS_OF_ONE),
        changes: Shares::new(MOST_CHANGES, 1),
        actions: Actions::new(),
        client,
        store,
        keys,
        settings,
    });
    let app = router(api.clone());
    let halt = stop.child_token();
    let serving = async {
        let _halt = halt.clone().drop_guard();
        let limits = Limits { connections: api.settings.connections, idle: api.settings.idle };
        serve::serve(listener, app, limits, &halt).await;
    };
    let following = async {
        let _halt = halt.clone().drop_guard();
        api.access.follow(access, &halt).await;
    };
    tokio::join!(serving, following);
    api.actions.finish().await;
    Ok(())
}

fn router(api: Shared) -> Router {
    let routes = OpenApiRouter::with_openapi(Document::openapi()).merge(routes::all());
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
        .fallback(async || Problem::new(Kind::NotFound, "there is no such path: see /docs"))
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
