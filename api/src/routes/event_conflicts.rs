//! Conflicts: content that came with the id of another event of its company.

use axum::{Json, extract::State};
use jiff::Timestamp;
use posthorn_domain::{event::Event, id::EventRef, moment};
use posthorn_store::{ConflictFilter, ConflictRecord};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::{May, Read},
    problem::Problem,
    query::{Moment, PageOf, Query, limit, no_nul, read_place, write_place},
    routes::events,
    state::Shared,
};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Content that came with the id of another event of its company. It was routed and delivered like that,
/// with the same `webhook-id`; redeliveries and replays send the event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Conflict {
    /// The event whose id it came with.
    #[schema(value_type = String)]
    event_ref: EventRef,
    /// Its producer's id.
    event_id: String,
    /// What tells this content from the event's.
    digest: String,
    /// What happened.
    r#type: String,
    /// Whose event it is.
    company_id: String,
    /// The project within the company; null for an event of the company itself.
    project_id: Option<String>,
    /// When it happened, if its producer said so.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<moment::Moment>,
    /// When a router took it.
    received_at: Timestamp,
    /// How many webhooks wanted it.
    webhooks: usize,
    /// What the webhooks are told about it.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
}

impl Conflict {
    pub(crate) fn read(found: ConflictRecord) -> Result<Self, Problem> {
        let event = Event::decode(&found.message, usize::MAX).map_err(|_| events::broken())?;
        Ok(Self {
            event_ref: found.event_ref,
            digest: found.digest.to_string(),
            received_at: found.received_at,
            webhooks: found.webhook_ids.len(),
            data: events::data(&event)?,
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
pub(crate) struct ListQuery {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    cursor: Option<String>,
    /// Only of this company.
    company: Option<String>,
    /// Only those received since then.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Moment>,
    /// Only those received before.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Moment>,
}

/// List conflicts
///
/// Content that came with the id of another event of its company, the latest first. They are recorded a
/// moment after they were routed, and kept for `POSTHORN_RETENTION`.
#[utoipa::path(get, path = "/v1/event-conflicts", tag = "events", params(ListQuery),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<Conflict>)))]
async fn list(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageOf<Conflict>>, Problem> {
    let limit = limit(query.limit)?;
    let place = read_place(query.cursor.as_deref())?;
    let filter = ConflictFilter {
        company: query.company.as_deref().map(|text| no_nul("company", text)).transpose()?,
        since: query.since.map(|Moment(at)| at),
        until: query.until.map(|Moment(at)| at),
        companies: caller.companies.clone(),
    };
    let page = api.store.history.conflicts(&filter, place.as_ref(), limit).await?;
    Ok(Json(PageOf {
        data: page.rows.into_iter().map(Conflict::read).collect::<Result<_, _>>()?,
        next_cursor: page.next.map(write_place),
    }))
}
