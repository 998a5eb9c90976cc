//! Statistics: how many events, attempts and failures, and how quick, of a webhook and of all.

use axum::{
    Json,
    extract::{Path, State},
};
use posthorn_manage::{
    Read,
    statistics::{self, Asked, Statistics},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{caller::By, problem::Problem, query::Query, state::Shared};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(of_all)).routes(routes!(of_webhook))
}

/// Statistics of all webhooks
///
/// Only for tokens that see all companies.
#[utoipa::path(get, path = "/v1/statistics", tag = "statistics", params(Asked),
    security(("token" = ["read"])), responses((status = 200, body = Statistics)))]
async fn of_all(
    By(by): By<Read>,
    State(api): State<Shared>,
    Query(asked): Query<Asked>,
) -> Result<Json<Statistics>, Problem> {
    Ok(Json(statistics::of_all(&api.manage, &by, asked).await?))
}

/// Statistics of a webhook
#[utoipa::path(get, path = "/v1/webhooks/{id}/statistics", tag = "statistics",
    params(("id" = String, Path), Asked),
    security(("token" = ["read"])), responses((status = 200, body = Statistics)))]
async fn of_webhook(
    By(by): By<Read>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<Statistics>, Problem> {
    Ok(Json(statistics::of_webhook(&api.manage, &by, &id, asked).await?))
}
