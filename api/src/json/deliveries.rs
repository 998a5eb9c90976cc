//! Deliveries: a webhook's, listed; one with all its attempts; and once more.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use posthorn_manage::{
    PageOf, Read, Write,
    deliveries::{self, Delivery, DeliveryDetail, Nothing, Redelivered},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::done, body::OptionalBody, caller::By, once::Keyed, problem::Problem, query::Query, state::Shared,
};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(redeliver))
}

/// List a webhook's deliveries
///
/// Those of which an attempt was made, each with its latest; the latest first. A page looks at a bounded
/// number of attempts: with filters it may hold few, or none, though more follow.
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries", tag = "deliveries", params(("id" = String, Path), deliveries::List),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<Delivery>)))]
async fn list(
    By(by): By<Read>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    Query(asked): Query<deliveries::List>,
) -> Result<Json<PageOf<Delivery>>, Problem> {
    Ok(Json(deliveries::list(&api.manage, &by, &id, asked).await?))
}

/// Show a delivery
///
/// One event to one webhook, with all its attempts.
#[utoipa::path(get, path = "/v1/deliveries/{event}/{webhook}", tag = "deliveries",
    params(("event" = String, Path), ("webhook" = String, Path)),
    security(("token" = ["read"])), responses((status = 200, body = DeliveryDetail)))]
async fn show(
    By(by): By<Read>,
    State(api): State<Shared>,
    Path((event, webhook)): Path<(String, String)>,
) -> Result<Json<DeliveryDetail>, Problem> {
    Ok(Json(deliveries::show(&api.manage, &by, &event, &webhook).await?))
}

/// Deliver once more
///
/// Puts the delivery into the webhook's queue, with the same `webhook-id` and the content that was recorded
/// first; attempts count from 1 again. Also for an event that the webhook's rules match only now. 409 unless
/// the webhook is enabled and wants the event.
#[utoipa::path(post, path = "/v1/deliveries/{event}/{webhook}/redeliver", tag = "deliveries",
    params(("event" = String, Path), ("webhook" = String, Path)), request_body(content = Option<Nothing>),
    security(("token" = ["write"])), extensions(("x-idempotent" = json!(true))),
    responses((status = 202, body = Redelivered), (status = 409, description = "The webhook is not enabled")))]
async fn redeliver(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path((event, webhook)): Path<(String, String)>,
    keyed: Keyed,
    OptionalBody(body): OptionalBody<Nothing>,
) -> Result<Response, Problem> {
    let once = keyed.once(body.sent)?;
    let redelivered = deliveries::redeliver(&api.manage, &by, &event, &webhook, once).await?;
    Ok(done(StatusCode::ACCEPTED, redelivered.is_repeated, Json(redelivered.value).into_response()))
}
