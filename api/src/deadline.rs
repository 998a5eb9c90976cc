//! The deadline of a request.

use std::time::Duration;

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use posthorn_manage::Kind;
use tokio::time::timeout;

use crate::problem::Problem;

/// Longer than the longest attempt of a test.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Answers a request itself if nobody else does in time.
pub(crate) async fn keep(request: Request, next: Next) -> Response {
    let late = |_| Problem::new(Kind::Unavailable, "this takes too long: try again later").into_response();
    timeout(REQUEST_TIMEOUT, next.run(request)).await.unwrap_or_else(late)
}
