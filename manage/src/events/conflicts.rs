//! Conflicts: content that came with the id of another event of its company.

use jiff::Timestamp;
use posthorn_domain::{event::Event, id::EventRef, moment};
use posthorn_store::{ConflictFilter, ConflictRecord};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::recorded::{broken, data};
use crate::{
    error::Error,
    manage::Manage,
    moment::Moment,
    page::{InTime, PageOf, Paging, text, times},
    principal::{May, Read},
};

/// Content that came with the id of another event of its company. It was routed and delivered like that,
/// with the same `webhook-id`; redeliveries and replays send the event.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conflict {
    /// The event whose id it came with.
    #[schema(value_type = String)]
    pub event_ref: EventRef,
    /// Its producer's id.
    pub event_id: String,
    /// What tells this content from the event's.
    pub digest: String,
    /// What happened.
    pub r#type: String,
    /// Whose event it is.
    pub company_id: String,
    /// The project within the company; null for an event of the company itself.
    pub project_id: Option<String>,
    /// When it happened, if its producer said so.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub occurred_at: Option<moment::Moment>,
    /// When a router took it.
    pub received_at: Timestamp,
    /// How many webhooks wanted it.
    pub webhooks: usize,
    /// What the webhooks are told about it.
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
}

impl Conflict {
    pub(crate) fn read(found: ConflictRecord) -> Result<Self, Error> {
        let event = Event::decode(&found.message, usize::MAX).map_err(|_| broken())?;
        Ok(Self {
            event_ref: found.event_ref,
            digest: found.digest.to_string(),
            received_at: found.received_at,
            webhooks: found.webhook_ids.len(),
            data: data(&event)?,
            event_id: event.id.0,
            r#type: event.event_type,
            company_id: event.company_id,
            project_id: Some(event.project_id).filter(|id| !id.is_empty()),
            occurred_at: event.occurred_at,
        })
    }
}

/// What a list of conflicts may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListConflicts {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    pub cursor: Option<String>,
    /// Only of this company.
    pub company: Option<String>,
    /// Only those received since then.
    #[param(value_type = Option<String>, format = DateTime)]
    pub since: Option<Moment>,
    /// Only those received before.
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<Moment>,
}

/// Conflicts, the latest first.
///
/// # Errors
/// If what is asked for cannot be.
pub async fn list_conflicts(
    manage: &Manage,
    by: &May<Read>,
    asked: ListConflicts,
) -> Result<PageOf<Conflict>, Error> {
    let paging = Paging::<InTime<Uuid>>::read(asked.limit, asked.cursor.as_deref())?;
    let (since, until) = times(asked.since, asked.until);
    let company = text("company", asked.company.as_deref())?;
    let filter = ConflictFilter { company, since, until, companies: by.companies.clone() };
    let found = manage.store.history.conflicts(&filter, paging.place().as_ref(), paging.limit).await?;
    paging.page_of(found, Conflict::read)
}
