//! Conflicts: content that came with the id of another event of its company.

use axum::{Json, extract::State};
use posthorn_manage::{
    PageOf, Read,
    events::{self, Conflict, ListConflicts},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{caller::By, problem::Problem, query::Query, state::Shared};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List conflicts
///
/// Content that came with the id of another event of its company, the latest first. They are recorded a
/// moment after they were routed, and kept for `POSTHORN_RETENTION`.
#[utoipa::path(get, path = "/v1/event-conflicts", tag = "events", params(ListConflicts),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<Conflict>)))]
async fn list(
    By(by): By<Read>,
    State(api): State<Shared>,
    Query(asked): Query<ListConflicts>,
) -> Result<Json<PageOf<Conflict>>, Problem> {
    Ok(Json(events::list_conflicts(&api.manage, &by, asked).await?))
}
