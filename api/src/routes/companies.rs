//! Companies, as people call them.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use posthorn_domain::webhook::owner;
use posthorn_store::Company;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    body::Body,
    caller::{Caller, May, Read, Write},
    problem::{Problem, Wrong},
    query::{PageOf, Query, limit, next_page, no_nul, read_cursor},
    state::Shared,
};

/// The longest id of a company or a project, in bytes.
const LONGEST_ID: usize = 255;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, name, remove))
}

/// A company.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Company")]
pub(crate) struct CompanyView {
    /// Its id in events.
    id: String,
    /// What people call it; empty if nobody said so.
    name: String,
}

impl From<Company> for CompanyView {
    fn from(Company { id, name }: Company) -> Self {
        Self { id, name }
    }
}

/// What people call something.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NameInput {
    /// The name.
    #[schema(required = true, nullable = false, value_type = String, max_length = 200, example = "Example Ltd")]
    name: Option<String>,
}

impl NameInput {
    /// The name, if it is one.
    pub(crate) fn check(self) -> Result<String, Problem> {
        let wrong = |code, detail: &str| Problem::invalid(vec![Wrong::at("/name", code, detail)]);
        let name = self.name.ok_or_else(|| wrong("required", "say what people call it"))?;
        owner::check_text(&name, owner::LONGEST_NAME).map_err(|detail| wrong("bad_text", &detail))?;
        Ok(name)
    }
}

/// An id of a company or project as it stands in a path. What cannot be one is the id of nothing.
pub(crate) fn id(what: &str, text: String) -> Result<String, Problem> {
    match !text.is_empty() && text.len() <= LONGEST_ID && !text.contains('\0') {
        true => Ok(text),
        false => Err(Problem::not_found(what)),
    }
}

/// What a list of companies may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    cursor: Option<String>,
    /// Only those in whose id or name this text occurs, whatever the case.
    q: Option<String>,
}

/// List companies
///
/// By id: those that were seen in events, and those that were named.
#[utoipa::path(get, path = "/v1/companies", tag = "catalogue", params(ListQuery),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<CompanyView>)))]
async fn list(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageOf<CompanyView>>, Problem> {
    let limit = limit(query.limit)?;
    let text = no_nul("q", &query.q.unwrap_or_default())?;
    let after = no_nul("cursor", &read_cursor::<String>(query.cursor.as_deref())?.unwrap_or_default())?;
    let found =
        api.store.catalogue.companies(&text, caller.companies.as_deref(), &after, limit as u32).await?;
    let next_cursor = next_page(&found, limit, |last| last.id.clone());
    Ok(Json(PageOf { data: found.into_iter().map(CompanyView::from).collect(), next_cursor }))
}

/// Show a company
#[utoipa::path(get, path = "/v1/companies/{id}", tag = "catalogue", params(("id" = String, Path)),
    security(("token" = ["read"])), responses((status = 200, body = CompanyView)))]
async fn show(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Path(company): Path<String>,
) -> Result<Json<CompanyView>, Problem> {
    let found = api.store.catalogue.company(&seen(&caller, company)?).await?;
    Ok(Json(found.ok_or_else(|| Problem::not_found("company"))?.into()))
}

/// Name a company
///
/// Seen or not.
#[utoipa::path(put, path = "/v1/companies/{id}", tag = "catalogue", params(("id" = String, Path)),
    request_body = NameInput, security(("token" = ["write"])), responses((status = 200, body = CompanyView)))]
async fn name(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(company): Path<String>,
    body: Body<NameInput>,
) -> Result<Json<CompanyView>, Problem> {
    let company = Company { id: seen(&caller, company)?, name: body.value.check()? };
    api.store.catalogue.name_company(&company, &caller.acts("company.name")).await?;
    Ok(Json(company.into()))
}

/// Forget a company
///
/// With its projects: their names, that is. Its events and webhooks stay, and it comes back when an event of
/// it is seen again.
#[utoipa::path(delete, path = "/v1/companies/{id}", tag = "catalogue", params(("id" = String, Path)),
    security(("token" = ["write"])), responses((status = 204, description = "It is forgotten")))]
async fn remove(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(company): Path<String>,
) -> Result<StatusCode, Problem> {
    match api.store.catalogue.delete_company(&seen(&caller, company)?, &caller.acts("company.delete")).await?
    {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("company")),
    }
}

/// A company's id that the caller may see.
fn seen(caller: &Caller, company: String) -> Result<String, Problem> {
    match caller.sees(&company) {
        true => id("company", company),
        false => Err(Problem::not_found("company")),
    }
}
