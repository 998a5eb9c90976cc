//! The audit log: who changed what.

use axum::{Json, extract::State};
use posthorn_manage::{
    Admin, PageOf,
    audit::{self, Entry},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{caller::By, problem::Problem, query::Query, state::Shared};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Read the audit log
///
/// The latest first. It tells of changes by the API, by commands and by Posthorn itself.
#[utoipa::path(get, path = "/v1/audit-log", tag = "audit log", params(audit::List),
    security(("token" = ["admin"])), responses((status = 200, body = PageOf<Entry>)))]
async fn list(
    By(by): By<Admin>,
    State(api): State<Shared>,
    Query(asked): Query<audit::List>,
) -> Result<Json<PageOf<Entry>>, Problem> {
    Ok(Json(audit::list(&api.manage, &by, asked).await?))
}
