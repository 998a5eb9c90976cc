//! Ingestion: events published over HTTP, for those who don't speak AMQP.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use posthorn_manage::{
    Publish,
    events::{self, Batch, BatchResult, EventInput, Published},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{answer::done, body::Body, caller::By, once::Keyed, problem::Problem, state::Shared};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(publish)).routes(routes!(publish_batch))
}

/// Publish an event
///
/// The answer comes once RabbitMQ has the event safely. After a failure, publish it again with the same
/// `id`: receivers may see it twice, and tell by `webhook-id`.
#[utoipa::path(post, path = "/v1/events", tag = "events", request_body = EventInput,
    security(("token" = ["publish"])), extensions(("x-idempotent" = json!(true))),
    responses((status = 202, body = Published)))]
async fn publish(
    By(by): By<Publish>,
    State(api): State<Shared>,
    keyed: Keyed,
    Body { value, sent }: Body<EventInput>,
) -> Result<Response, Problem> {
    let published = events::publish(&api.manage, &by, keyed.once(sent)?, value).await?;
    Ok(done(StatusCode::ACCEPTED, published.is_repeated, Json(published.value).into_response()))
}

/// Publish up to 1,000 events
///
/// 202 if RabbitMQ has all of them safely, 207 if it has not: each has its own result.
#[utoipa::path(post, path = "/v1/events:batch", tag = "events", request_body = Batch,
    security(("token" = ["publish"])),
    responses((status = 202, body = BatchResult), (status = 207, body = BatchResult)))]
async fn publish_batch(
    By(by): By<Publish>,
    State(api): State<Shared>,
    body: Body<Batch>,
) -> Result<Response, Problem> {
    let result = events::publish_batch(&api.manage, &by, body.value).await?;
    let status = if result.is_whole() { StatusCode::ACCEPTED } else { StatusCode::MULTI_STATUS };
    Ok((status, Json(result)).into_response())
}
