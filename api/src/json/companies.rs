//! Companies, as people call them.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use posthorn_manage::{
    PageOf, Read, Write,
    catalogue::{self, CompanyView, ListCompanies, NameInput},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{body::Body, caller::By, problem::Problem, query::Query, state::Shared};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, name, remove))
}

/// List companies
///
/// By id: those that were seen in events, and those that were named.
#[utoipa::path(get, path = "/v1/companies", tag = "catalogue", params(ListCompanies),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<CompanyView>)))]
async fn list(
    By(by): By<Read>,
    State(api): State<Shared>,
    Query(asked): Query<ListCompanies>,
) -> Result<Json<PageOf<CompanyView>>, Problem> {
    Ok(Json(catalogue::list_companies(&api.manage, &by, asked).await?))
}

/// Show a company
#[utoipa::path(get, path = "/v1/companies/{id}", tag = "catalogue", params(("id" = String, Path)),
    security(("token" = ["read"])), responses((status = 200, body = CompanyView)))]
async fn show(
    By(by): By<Read>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<CompanyView>, Problem> {
    Ok(Json(catalogue::show_company(&api.manage, &by, &id).await?))
}

/// Name a company
///
/// Seen or not.
#[utoipa::path(put, path = "/v1/companies/{id}", tag = "catalogue", params(("id" = String, Path)),
    request_body = NameInput, security(("token" = ["write"])), responses((status = 200, body = CompanyView)))]
async fn name(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    body: Body<NameInput>,
) -> Result<Json<CompanyView>, Problem> {
    Ok(Json(catalogue::name_company(&api.manage, &by, &id, body.value).await?))
}

/// Forget a company
///
/// With its projects: their names, that is. Its events and webhooks stay, and it comes back when an event of
/// it is seen again.
#[utoipa::path(delete, path = "/v1/companies/{id}", tag = "catalogue", params(("id" = String, Path)),
    security(("token" = ["write"])), responses((status = 204, description = "It is forgotten")))]
async fn remove(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    catalogue::delete_company(&api.manage, &by, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
