//! What stops a webhook and lets it go on, and its secrets.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use posthorn_manage::{
    Write,
    webhooks::{self, Rotation, Webhook},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::{done, versioned},
    body::{Body, OptionalBody},
    caller::By,
    once::Keyed,
    problem::Problem,
    state::Shared,
};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(enable))
        .routes(routes!(disable))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(rotate_secret))
}

/// Enable a webhook
///
/// A disabled webhook begins a new epoch: what waits in its queue is attempted, counted from 1 again. One
/// that is enabled stays as it is.
#[utoipa::path(post, path = "/v1/webhooks/{id}/enable", tag = "webhooks", params(("id" = String, Path)),
    security(("token" = ["write"])),
    responses((status = 200, body = Webhook), (status = 409, description = "It is paused")))]
async fn enable(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(versioned(webhooks::enable(&api.manage, &by, &id).await?))
}

/// Disable a webhook
///
/// It gets nothing until it is enabled again; its queue keeps what it holds.
#[utoipa::path(post, path = "/v1/webhooks/{id}/disable", tag = "webhooks", params(("id" = String, Path)),
    security(("token" = ["write"])), responses((status = 200, body = Webhook)))]
async fn disable(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(versioned(webhooks::disable(&api.manage, &by, &id).await?))
}

/// Pause a webhook
///
/// Its queue keeps what it holds; events that come meanwhile do not reach it.
#[utoipa::path(post, path = "/v1/webhooks/{id}/pause", tag = "webhooks", params(("id" = String, Path)),
    security(("token" = ["write"])),
    responses((status = 200, body = Webhook), (status = 409, description = "It is disabled")))]
async fn pause(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(versioned(webhooks::pause(&api.manage, &by, &id).await?))
}

/// Resume a paused webhook
#[utoipa::path(post, path = "/v1/webhooks/{id}/resume", tag = "webhooks", params(("id" = String, Path)),
    security(("token" = ["write"])),
    responses((status = 200, body = Webhook), (status = 409, description = "It is disabled")))]
async fn resume(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(versioned(webhooks::resume(&api.manage, &by, &id).await?))
}

/// Give a webhook a new secret
///
/// The answer holds it; it is not shown again. The old one goes on signing beside it for a day, or as long
/// as is asked for.
#[utoipa::path(post, path = "/v1/webhooks/{id}/rotate-secret", tag = "webhooks", params(("id" = String, Path)),
    request_body(content = Option<Rotation>), security(("token" = ["write"])), extensions(("x-idempotent" = json!(true))),
    responses((status = 200, body = Webhook)))]
async fn rotate_secret(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    keyed: Keyed,
    OptionalBody(Body { value, sent }): OptionalBody<Rotation>,
) -> Result<Response, Problem> {
    let rotated = webhooks::rotate_secret(&api.manage, &by, &id, keyed.once(sent)?, value).await?;
    Ok(done(StatusCode::OK, rotated.is_repeated, versioned(rotated.value)))
}
