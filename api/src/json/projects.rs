//! Projects, as people call them. A project is one of a company: the same id in two companies is two.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use posthorn_manage::{
    PageOf, Read, Write,
    catalogue::{self, ListProjects, NameInput, OfCompany, ProjectView},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{body::Body, caller::By, problem::Problem, query::Query, state::Shared};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, name, remove))
}

/// List projects
///
/// By company and id: those that were seen in events, and those that were named.
#[utoipa::path(get, path = "/v1/projects", tag = "catalogue", params(ListProjects),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<ProjectView>)))]
async fn list(
    By(by): By<Read>,
    State(api): State<Shared>,
    Query(asked): Query<ListProjects>,
) -> Result<Json<PageOf<ProjectView>>, Problem> {
    Ok(Json(catalogue::list_projects(&api.manage, &by, asked).await?))
}

/// Show a project
#[utoipa::path(get, path = "/v1/projects/{id}", tag = "catalogue", params(("id" = String, Path), OfCompany),
    security(("token" = ["read"])), responses((status = 200, body = ProjectView)))]
async fn show(
    By(by): By<Read>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    Query(of): Query<OfCompany>,
) -> Result<Json<ProjectView>, Problem> {
    Ok(Json(catalogue::show_project(&api.manage, &by, &id, of).await?))
}

/// Name a project
///
/// Seen or not.
#[utoipa::path(put, path = "/v1/projects/{id}", tag = "catalogue", params(("id" = String, Path), OfCompany),
    request_body = NameInput, security(("token" = ["write"])), responses((status = 200, body = ProjectView)))]
async fn name(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    Query(of): Query<OfCompany>,
    body: Body<NameInput>,
) -> Result<Json<ProjectView>, Problem> {
    Ok(Json(catalogue::name_project(&api.manage, &by, &id, of, body.value).await?))
}

/// Forget a project
///
/// Its name, that is. Its events stay, and it comes back when an event of it is seen again.
#[utoipa::path(delete, path = "/v1/projects/{id}", tag = "catalogue", params(("id" = String, Path), OfCompany),
    security(("token" = ["write"])), responses((status = 204, description = "It is forgotten")))]
async fn remove(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    Query(of): Query<OfCompany>,
) -> Result<StatusCode, Problem> {
    catalogue::delete_project(&api.manage, &by, &id, of).await?;
    Ok(StatusCode::NO_CONTENT)
}
