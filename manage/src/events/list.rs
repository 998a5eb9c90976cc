//! Events, listed.

use posthorn_store::EventFilter;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::view::EventSummary;
use crate::{
    error::Error,
    manage::Manage,
    moment::Moment,
    page::{InTime, PageOf, Paging, event_type, text, times},
    principal::{May, Read},
};

/// What a list of events may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct List {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    pub cursor: Option<String>,
    /// Only those with this id of their producer's, or this reference.
    pub id: Option<String>,
    /// Only of this type; `*` stands for any run of characters.
    #[param(example = "todo.*")]
    pub r#type: Option<String>,
    /// Only of this company.
    pub company: Option<String>,
    /// Only of this project.
    pub project: Option<String>,
    /// Only those received since then.
    #[param(value_type = Option<String>, format = DateTime)]
    pub since: Option<Moment>,
    /// Only those received before.
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<Moment>,
}

/// Events, the latest first. A page looks at a bounded number: with filters it may hold few, or none, though
/// more follow.
///
/// # Errors
/// If what is asked for cannot be.
pub async fn list(manage: &Manage, by: &May<Read>, asked: List) -> Result<PageOf<EventSummary>, Error> {
    let paging = Paging::<InTime<Uuid>>::read(asked.limit, asked.cursor.as_deref())?;
    let (since, until) = times(asked.since, asked.until);
    let filter = EventFilter {
        id: text("id", asked.id.as_deref())?,
        event_type: event_type("type", asked.r#type.as_deref())?,
        company: text("company", asked.company.as_deref())?,
        project: text("project", asked.project.as_deref())?,
        since,
        until,
        companies: by.companies.clone(),
    };
    let found = manage.store.history.events(&filter, paging.place().as_ref(), paging.limit).await?;
    paging.page_of(found, |row| Ok(row.into()))
}
