//! Projects, as people call them. A project is one of a company: the same id in two companies is two.

use posthorn_store::Project;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::companies::{NameInput, id};
use crate::{
    error::Error,
    manage::Manage,
    page::{PageOf, Paging, text},
    principal::{May, Principal, Read, Write},
};

/// A project.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Project")]
pub struct ProjectView {
    /// The company whose project it is; empty if its events name none.
    pub company_id: String,
    /// Its id in events.
    pub id: String,
    /// What people call it; empty if nobody said so.
    pub name: String,
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
pub struct ListProjects {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    pub cursor: Option<String>,
    /// Only those of this company.
    pub company: Option<String>,
    /// Only those in whose id or name this text occurs, whatever the case.
    pub q: Option<String>,
}

/// Whose project it is.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfCompany {
    /// The company whose project it is; left out for events that name none.
    pub company: Option<String>,
}

impl OfCompany {
    /// The company and the project, if the principal may see them.
    fn seen(self, by: &Principal, project: &str) -> Result<(String, String), Error> {
        let company = self.company.unwrap_or_default();
        if !by.sees(&company) {
            return Err(Error::not_found("project"));
        }
        let company = if company.is_empty() { company } else { id("project", &company)? };
        Ok((company, id("project", project)?))
    }
}

/// Projects by company and id: those that were seen in events, and those that were named.
///
/// # Errors
/// If what is asked for cannot be.
pub async fn list_projects(
    manage: &Manage,
    by: &May<Read>,
    asked: ListProjects,
) -> Result<PageOf<ProjectView>, Error> {
    let paging = Paging::<(String, String)>::read(asked.limit, asked.cursor.as_deref())?;
    let company = text("company", asked.company.as_deref())?;
    let text = text("q", asked.q.as_deref())?.unwrap_or_default();
    let (after, within) = (paging.behind.clone().unwrap_or_default(), by.companies.as_deref());
    let limit = paging.limit as u32;
    let rows = manage.store.catalogue.projects(company.as_deref(), &text, within, &after, limit).await?;
    Ok(paging.page(rows, |last| (last.company_id.clone(), last.id.clone()), ProjectView::from))
}

/// Shows a project.
///
/// # Errors
/// If there is none.
pub async fn show_project(
    manage: &Manage,
    by: &May<Read>,
    project: &str,
    of: OfCompany,
) -> Result<ProjectView, Error> {
    let (company, project) = of.seen(by, project)?;
    let found = manage.store.catalogue.project(&company, &project).await?;
    Ok(found.ok_or_else(not_found)?.into())
}

/// Names a project, seen or not.
///
/// # Errors
/// If the name is wrong, or the principal does not see it.
pub async fn name_project(
    manage: &Manage,
    by: &May<Write>,
    project: &str,
    of: OfCompany,
    input: NameInput,
) -> Result<ProjectView, Error> {
    let (company_id, id) = of.seen(by, project)?;
    let project = Project { company_id, id, name: input.check()? };
    manage.store.catalogue.name_project(&project, &by.acts("project.name")).await?;
    Ok(project.into())
}

/// Forgets a project: its name, that is.
///
/// # Errors
/// If there is none.
pub async fn delete_project(
    manage: &Manage,
    by: &May<Write>,
    project: &str,
    of: OfCompany,
) -> Result<(), Error> {
    let (company, project) = of.seen(by, project)?;
    match manage.store.catalogue.delete_project(&company, &project, &by.acts("project.delete")).await? {
        true => Ok(()),
        false => Err(not_found()),
    }
}

fn not_found() -> Error {
    Error::not_found("project")
}
