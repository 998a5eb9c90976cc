//! The admin server of every role: `/livez`, `/readyz`, `/metrics`.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Tells what a role is missing to do its work, in words.
pub(crate) type Check = Box<dyn Fn() -> Option<String> + Send + Sync>;

struct Admin {
    metrics: PrometheusHandle,
    checks: Vec<Check>,
    stopping: CancellationToken,
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    missing: Vec<String>,
}

/// Takes the address.
pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| {
        format!("cannot serve /readyz and /metrics on {address}: set POSTHORN_ADMIN_ADDR to a free address")
    })?;
    tracing::info!("serving /livez, /readyz and /metrics on http://{}", listener.local_addr()?);
    Ok(listener)
}

/// Serves; not ready any more once `stopping`.
///
/// # Errors
/// If the server fails. It never ends otherwise.
pub(crate) async fn serve(
    listener: TcpListener,
    metrics: PrometheusHandle,
    checks: Vec<Check>,
    stopping: CancellationToken,
) -> anyhow::Result<()> {
    let admin = Arc::new(Admin { metrics, checks, stopping });
    let app = Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .with_state(admin);
    axum::serve(listener, app).await.context("the admin server failed")
}

async fn readyz(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    let mut missing: Vec<_> = admin.checks.iter().filter_map(|check| check()).collect();
    missing.dedup();
    if admin.stopping.is_cancelled() {
        missing.insert(0, "told to stop".to_owned());
    }
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready: missing.is_empty(), missing }))
}

async fn metrics_text(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], admin.metrics.render())
}
