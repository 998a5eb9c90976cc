//! Explain: why a webhook did, or did not, get an event.

use axum::{
    Json,
    extract::{Path, State},
};
use posthorn_manage::{
    Read,
    events::{self, Explain, Explained},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{caller::By, problem::Problem, query::Query, state::Shared};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(explain))
}

/// Explain why a webhook did, or did not, get an event
///
/// With the rules and the state that the webhook had when the event came. 409 if that takes more steps than
/// `POSTHORN_MAX_MATCH_STEPS`.
#[utoipa::path(get, path = "/v1/events/{event}/explain", tag = "events", params(("event" = String, Path), Explain),
    security(("token" = ["read"])), responses((status = 200, body = Explained), (status = 409, description = "It takes too many steps")))]
async fn explain(
    By(by): By<Read>,
    State(api): State<Shared>,
    Path(event): Path<String>,
    Query(asked): Query<Explain>,
) -> Result<Json<Explained>, Problem> {
    Ok(Json(events::explain(&api.manage, &by, &event, asked).await?))
}
