//! Rejected events: messages that are no events, looked at, repaired, discarded.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use posthorn_manage::{
    PageOf, Read, Write,
    events::EventInput,
    rejected::{self, Rejected, RejectedDetail, Republished},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::done,
    body::{Body, OptionalBody},
    caller::By,
    once::Keyed,
    problem::Problem,
    query::Query,
    state::Shared,
};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(publish))
        .routes(routes!(discard))
}

/// List rejected events
///
/// The latest first. Nobody knows whose they are: a token for some companies sees none.
#[utoipa::path(get, path = "/v1/rejected-events", tag = "rejected events", params(rejected::List),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<Rejected>)))]
async fn list(
    By(by): By<Read>,
    State(api): State<Shared>,
    Query(asked): Query<rejected::List>,
) -> Result<Json<PageOf<Rejected>>, Problem> {
    Ok(Json(rejected::list(&api.manage, &by, asked).await?))
}

/// Show a rejected event
///
/// With its bytes, as hexadecimal digits and as text.
#[utoipa::path(get, path = "/v1/rejected-events/{id}", tag = "rejected events", params(("id" = String, Path)),
    security(("token" = ["read"])), responses((status = 200, body = RejectedDetail)))]
async fn show(
    By(by): By<Read>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<RejectedDetail>, Problem> {
    Ok(Json(rejected::show(&api.manage, &by, &id).await?))
}

/// Publish a rejected event after repair
///
/// The body is the repaired event. Without a body the message is published as it is, if it is an event by
/// now, for example since `POSTHORN_MAX_EVENT_BYTES` was raised.
#[utoipa::path(post, path = "/v1/rejected-events/{id}/publish", tag = "rejected events", params(("id" = String, Path)),
    request_body(content = Option<EventInput>), security(("token" = ["write"])), extensions(("x-idempotent" = json!(true))),
    responses((status = 202, body = Republished), (status = 409, description = "Somebody has looked after it")))]
async fn publish(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    keyed: Keyed,
    OptionalBody(Body { value, sent }): OptionalBody<EventInput>,
) -> Result<Response, Problem> {
    let repaired = (!sent.bytes.is_empty()).then_some(value);
    let published = rejected::publish(&api.manage, &by, &id, keyed.once(sent)?, repaired).await?;
    Ok(done(StatusCode::ACCEPTED, published.is_repeated, Json(published.value).into_response()))
}

/// Discard a rejected event
///
/// It stays in the list as discarded until `POSTHORN_RETENTION` is over.
#[utoipa::path(post, path = "/v1/rejected-events/{id}/discard", tag = "rejected events", params(("id" = String, Path)),
    security(("token" = ["write"])),
    responses((status = 204, description = "It is discarded"), (status = 409, description = "Somebody has looked after it")))]
async fn discard(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    rejected::discard(&api.manage, &by, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
