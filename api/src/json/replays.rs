//! Replays: deliveries of a time made again, in the background.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use posthorn_manage::{
    PageOf, Read, Write,
    replays::{self, Replay, ReplayInput},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::created, body::Body, caller::By, once::Keyed, problem::Problem, query::Query, state::Shared,
};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(begin))
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(cancel))
}

/// Begin a replay
///
/// Deliveries go into the webhook's queue, a few at a time and behind what comes anew, with the same
/// `webhook-id`; attempts count from 1 again. The replay goes on in the background, also when the API is
/// started anew. 409 unless the webhook is enabled; a dry run is always possible.
#[utoipa::path(post, path = "/v1/webhooks/{id}/replay", tag = "deliveries", params(("id" = String, Path)),
    request_body = ReplayInput, security(("token" = ["write"])), extensions(("x-idempotent" = json!(true))),
    responses((status = 202, body = Replay), (status = 409, description = "The webhook is not enabled")))]
async fn begin(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    keyed: Keyed,
    Body { value, sent }: Body<ReplayInput>,
) -> Result<Response, Problem> {
    let begun = replays::begin(&api.manage, &by, &id, keyed.once(sent)?, value).await?;
    let location = format!("/v1/replays/{}", begun.value.id);
    let answer = Json(begun.value).into_response();
    Ok(created(StatusCode::ACCEPTED, &location, begun.is_repeated, answer))
}

/// List a webhook's replays
///
/// The latest first.
#[utoipa::path(get, path = "/v1/webhooks/{id}/replays", tag = "deliveries", params(("id" = String, Path), replays::List),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<Replay>)))]
async fn list(
    By(by): By<Read>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    Query(asked): Query<replays::List>,
) -> Result<Json<PageOf<Replay>>, Problem> {
    Ok(Json(replays::list(&api.manage, &by, &id, asked).await?))
}

/// Show a replay
#[utoipa::path(get, path = "/v1/replays/{id}", tag = "deliveries", params(("id" = String, Path)),
    security(("token" = ["read"])), responses((status = 200, body = Replay)))]
async fn show(
    By(by): By<Read>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Replay>, Problem> {
    Ok(Json(replays::show(&api.manage, &by, &id).await?))
}

/// Cancel a replay
///
/// What it has put into the webhook's queue is delivered all the same. One that has ended stays as it is.
#[utoipa::path(post, path = "/v1/replays/{id}/cancel", tag = "deliveries", params(("id" = String, Path)),
    security(("token" = ["write"])), responses((status = 200, body = Replay)))]
async fn cancel(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Replay>, Problem> {
    Ok(Json(replays::cancel(&api.manage, &by, &id).await?))
}
