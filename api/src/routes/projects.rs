//! Projects, as people call them. A project is one of a company: the same id in two companies is two.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use posthorn_store::Project;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    body::Body,
    caller::{Caller, May, Read, Write},
    problem::Problem,
    query::{PageOf, Query, limit, next_page, no_nul, read_cursor},
    routes::companies::{NameInput, id},
    state::Shared,
};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, name, remove))
}

/// A project.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Project")]
pub(crate) struct ProjectView {
    /// The company whose project it is; empty if its events name none.
    company_id: String,
    /// Its id in events.
    id: String,
    /// What people call it; empty if nobody said so.
    name: String,
}

impl From<Project> for ProjectView {
    fn from(Project { company_id, id, name }: Project) -> Self {
        Self { company_id, id, name }
    }
}

/// What a list of projects may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    cursor: Option<String>,
    /// Only those of this company.
    company: Option<String>,
    /// Only those in whose id or name this text occurs, whatever the case.
    q: Option<String>,
}

/// List projects
///
/// By company and id: those that were seen in events, and those that were named.
#[utoipa::path(get, path = "/v1/projects", tag = "catalogue", params(ListQuery),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<ProjectView>)))]
async fn list(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageOf<ProjectView>>, Problem> {
    let limit = limit(query.limit)?;
    let text = no_nul("q", &query.q.unwrap_or_default())?;
    let company = query.company.map(|text| no_nul("company", &text)).transpose()?;
    let after = read_cursor::<(String, String)>(query.cursor.as_deref())?.unwrap_or_default();
    let after = (no_nul("cursor", &after.0)?, no_nul("cursor", &after.1)?);
    let within = caller.companies.as_deref();
    let found = api.store.catalogue.projects(company.as_deref(), &text, within, &after, limit as u32).await?;
    let next_cursor = next_page(&found, limit, |last| (last.company_id.clone(), last.id.clone()));
    Ok(Json(PageOf { data: found.into_iter().map(ProjectView::from).collect(), next_cursor }))
}

/// Whose project it is.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfQuery {
    /// The company whose project it is; left out for events that name none.
    company: Option<String>,
}

impl OfQuery {
    /// The company and the project, if the caller may see them.
    fn seen(self, caller: &Caller, project: String) -> Result<(String, String), Problem> {
        let company = self.company.unwrap_or_default();
        if !caller.sees(&company) {
            return Err(Problem::not_found("project"));
        }
        let company = if company.is_empty() { company } else { id("project", company)? };
        Ok((company, id("project", project)?))
    }
}

/// Show a project
#[utoipa::path(get, path = "/v1/projects/{id}", tag = "catalogue", params(("id" = String, Path), OfQuery),
    security(("token" = ["read"])), responses((status = 200, body = ProjectView)))]
async fn show(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Path(project): Path<String>,
    Query(of): Query<OfQuery>,
) -> Result<Json<ProjectView>, Problem> {
    let (company, project) = of.seen(&caller, project)?;
    let found = api.store.catalogue.project(&company, &project).await?;
    Ok(Json(found.ok_or_else(|| Problem::not_found("project"))?.into()))
}

/// Name a project
///
/// Seen or not.
#[utoipa::path(put, path = "/v1/projects/{id}", tag = "catalogue", params(("id" = String, Path), OfQuery),
    request_body = NameInput, security(("token" = ["write"])), responses((status = 200, body = ProjectView)))]
async fn name(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(project): Path<String>,
    Query(of): Query<OfQuery>,
    body: Body<NameInput>,
) -> Result<Json<ProjectView>, Problem> {
    let (company_id, id) = of.seen(&caller, project)?;
    let project = Project { company_id, id, name: body.value.check()? };
    api.store.catalogue.name_project(&project, &caller.acts("project.name")).await?;
    Ok(Json(project.into()))
}

/// Forget a project
///
/// Its name, that is. Its events stay, and it comes back when an event of it is seen again.
#[utoipa::path(delete, path = "/v1/projects/{id}", tag = "catalogue", params(("id" = String, Path), OfQuery),
    security(("token" = ["write"])), responses((status = 204, description = "It is forgotten")))]
async fn remove(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(project): Path<String>,
    Query(of): Query<OfQuery>,
) -> Result<StatusCode, Problem> {
    let (company, project) = of.seen(&caller, project)?;
    match api.store.catalogue.delete_project(&company, &project, &caller.acts("project.delete")).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("project")),
    }
}
