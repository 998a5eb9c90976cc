//! Companies, as people call them.

use posthorn_domain::webhook::owner;
use posthorn_store::Company;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    error::{Error, Wrong},
    manage::Manage,
    page::{PageOf, Paging, text},
    principal::{May, Principal, Read, Write},
};

/// The longest id of a company or a project, in bytes.
const LONGEST_ID: usize = 255;

/// A company.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Company")]
pub struct CompanyView {
    /// Its id in events.
    pub id: String,
    /// What people call it; empty if nobody said so.
    pub name: String,
}

impl From<Company> for CompanyView {
    fn from(Company { id, name }: Company) -> Self {
        Self { id, name }
    }
}

/// What people call something.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NameInput {
    /// The name.
    #[schema(required = true, nullable = false, value_type = String, max_length = 200, example = "Example Ltd")]
    pub name: Option<String>,
}

impl NameInput {
    /// The name, if it is one.
    pub(super) fn check(self) -> Result<String, Error> {
        let wrong = |code, detail: &str| Error::invalid(vec![Wrong::at("/name", code, detail)]);
        let name = self.name.ok_or_else(|| wrong("required", "say what people call it"))?;
        owner::check_text(&name, owner::LONGEST_NAME).map_err(|detail| wrong("bad_text", &detail))?;
        Ok(name)
    }
}

/// An id of a company or project What cannot be one is the id of nothing.
pub(super) fn id(what: &str, text: &str) -> Result<String, Error> {
    match !text.is_empty() && text.len() <= LONGEST_ID && !text.contains('\0') {
        true => Ok(text.to_owned()),
        false => Err(Error::not_found(what)),
    }
}

/// What a list of companies may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListCompanies {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    pub cursor: Option<String>,
    /// Only those in whose id or name this text occurs, whatever the case.
    pub q: Option<String>,
}

/// Companies by id: those that were seen in events, and those that were named.
///
/// # Errors
/// If what is asked for cannot be.
pub async fn list_companies(
    manage: &Manage,
    by: &May<Read>,
    asked: ListCompanies,
) -> Result<PageOf<CompanyView>, Error> {
    let paging = Paging::<String>::read(asked.limit, asked.cursor.as_deref())?;
    let text = text("q", asked.q.as_deref())?.unwrap_or_default();
    let after = paging.behind.as_deref().unwrap_or_default();
    let rows =
        manage.store.catalogue.companies(&text, by.companies.as_deref(), after, paging.limit as u32).await?;
    Ok(paging.page(rows, |last| last.id.clone(), CompanyView::from))
}

/// Shows a company.
///
/// # Errors
/// If there is none.
pub async fn show_company(manage: &Manage, by: &May<Read>, company: &str) -> Result<CompanyView, Error> {
    let found = manage.store.catalogue.company(&seen(by, company)?).await?;
    Ok(found.ok_or_else(|| Error::not_found("company"))?.into())
}

/// Names a company, seen or not.
///
/// # Errors
/// If the name is wrong, or the principal does not see it.
pub async fn name_company(
    manage: &Manage,
    by: &May<Write>,
    company: &str,
    input: NameInput,
) -> Result<CompanyView, Error> {
    let company = Company { id: seen(by, company)?, name: input.check()? };
    manage.store.catalogue.name_company(&company, &by.acts("company.name")).await?;
    Ok(company.into())
}

/// Forgets a company with its projects: their names, that is.
///
/// # Errors
/// If there is none.
pub async fn delete_company(manage: &Manage, by: &May<Write>, company: &str) -> Result<(), Error> {
    match manage.store.catalogue.delete_company(&seen(by, company)?, &by.acts("company.delete")).await? {
        true => Ok(()),
        false => Err(Error::not_found("company")),
    }
}

/// A company's id that the principal may see.
fn seen(by: &Principal, company: &str) -> Result<String, Error> {
    match by.sees(company) {
        true => id("company", company),
        false => Err(Error::not_found("company")),
    }
}
