//! The management API: webhooks, events, deliveries, replays, tokens over HTTP.
//!
//! A request passes, from outside in: its id, its metrics and deadline, CORS, and its handler, which takes
//! first of all a `caller::May`, the right to make it. What a handler decides is in the domain, what it
//! asks is in the store; `routes` has a file for each resource. The OpenAPI document is made of the
//! handlers themselves.

mod body;
mod caller;
mod document;
mod id;
mod line;
mod metrics;
mod once;
mod page;
mod problem;
mod query;
mod rates;
mod replay;
mod request_id;
mod routes;
mod schema;
mod state;
mod version;

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    http::{HeaderName, HeaderValue, Method, header},
    middleware,
    response::Html,
    routing::get,
};
use posthorn_attempt::{CannotPrepare, Receivers};
use posthorn_broker::{Broker, BrokerError};
use posthorn_domain::{keyring::KeyRing, schema::Schemas};
use posthorn_store::Store;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;
use tower_http::cors::CorsLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    document::Document,
    line::Line,
    problem::{Kind, Problem},
    rates::Rates,
    state::{Api, Shared},
};

pub use state::Settings;

/// The most tests of webhooks that run at a time.
const MOST_TESTS: usize = 32;
/// The most compiled schemas that are kept.
const MOST_SCHEMAS: usize = 1000;
/// The page needs nothing but its own styles.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Why the API cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The broker, in a way that trying again cannot mend.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The HTTP client for tests of webhooks.
    #[error(transparent)]
    Client(#[from] CannotPrepare),
    /// The server.
    #[error("the API's server failed")]
    Server(#[from] std::io::Error),
}

/// What the API works with.
pub struct Parts {
    /// The socket that it listens on.
    pub listener: TcpListener,
    /// The database.
    pub store: Store,
    /// The broker.
    pub broker: Arc<Broker>,
    /// Where the broker is.
    pub amqp_url: String,
    /// Encrypts secrets.
    pub keys: KeyRing,
}

/// Serves requests and works on replays until `stop`; on `stop` finishes those that run.
///
/// # Errors
/// If the HTTP client cannot be prepared, the server fails, and those of the broker that trying again
/// cannot mend.
pub async fn run(parts: Parts, settings: Settings, stop: CancellationToken) -> Result<(), ApiError> {
    metrics::describe();
    let Parts { listener, store, broker, amqp_url, keys } = parts;
    let api = Arc::new(Api {
        line: Line::new(amqp_url, broker.names().clone()),
        rates: Rates::new(settings.requests_per_second),
        receivers: Receivers::new(settings.addresses.clone(), &settings.name_servers, 0)?,
        schemas: Mutex::new(Schemas::new(MOST_SCHEMAS)),
        tests: Semaphore::new(MOST_TESTS),
        store,
        keys,
        settings,
    });
    let app = router(api.clone());
    let halt = stop.child_token();
    let serving = async {
        let _halt = halt.clone().drop_guard();
        let stopped = halt.clone();
        axum::serve(listener, app)
            .with_graceful_shutdown(async move { stopped.cancelled().await })
            .await
            .map_err(ApiError::from)
    };
    let keeping = async {
        let _halt = halt.clone().drop_guard();
        api.line.keep(&broker, &halt).await.map_err(ApiError::from)
    };
    let replaying = replay::run(api.clone(), halt.clone());
    let (served, kept, ()) = tokio::join!(serving, keeping, replaying);
    api.line.close().await;
    served.and(kept)
}

fn router(api: Shared) -> Router {
    let routes = OpenApiRouter::with_openapi(Document::openapi()).merge(routes::all());
    let (router, document) = routes.split_for_parts();
    let document = Arc::new(document::complete(document));
    let page = Arc::new(page::write(&document));
    let router = router
        .route("/openapi.json", get(async move || Json((*document).clone())))
        .route(
            "/docs",
            get(async move || ([(header::CONTENT_SECURITY_POLICY, CONTENT_POLICY)], Html((*page).clone()))),
        )
        .fallback(async || Problem::new(Kind::NotFound, "there is no such path: see /docs"))
        .method_not_allowed_fallback(async || Problem::new(Kind::MethodNotAllowed, "see /docs"));
    let router = match cors(&api.settings.allow_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router
        .layer(middleware::from_fn(metrics::count))
        .layer(middleware::from_fn(request_id::identify))
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
