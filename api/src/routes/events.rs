//! Events: listed, and shown with what became of them.

use std::collections::{HashMap, HashSet};

use axum::{
    Json,
    extract::{Path, State},
};
use jiff::Timestamp;
use posthorn_domain::{
    event::Event,
    id::{EventRef, WebhookId},
    moment::Moment,
};
use posthorn_matching::event_type::TypePattern;
use posthorn_store::{AttemptRecord, EventFilter, EventRecord, EventRow};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::{Caller, May, Read},
    problem::{Kind, Problem, Wrong},
    query::{self, PageOf, Query, limit, no_nul, read_place, write_place},
    routes::{deliveries::State as DeliveryState, event_conflicts::Conflict, naming},
    state::{Api, Shared},
};

/// The most deliveries of an event that are shown with it.
const MOST_DELIVERIES: usize = 1000;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// An event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventSummary {
    /// What names it among the events of all companies: the `webhook-id` that receivers see.
    #[schema(value_type = String)]
    r#ref: EventRef,
    /// Its producer's id, unique within its company.
    id: String,
    /// What happened.
    r#type: String,
    /// Whose event it is.
    company_id: String,
    /// The project within the company; null for an event of the company itself.
    project_id: Option<String>,
    /// When it happened, if its producer said so.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Moment>,
    /// When a router took it.
    received_at: Timestamp,
    /// How many webhooks wanted it.
    webhooks: usize,
}

/// An event with its data and its deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventDetail {
    /// The event.
    #[serde(flatten)]
    event: EventSummary,
    /// What the webhooks are told about it.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
    /// What tells this content from what else came with the id.
    digest: String,
    /// What else came with the id, the first first; at most 20.
    conflicts: Vec<Conflict>,
    /// What became of it, for each webhook that wanted it; at most 1,000.
    deliveries: Vec<DeliverySummary>,
}

/// What became of an event for one webhook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliverySummary {
    /// The webhook.
    #[schema(value_type = String)]
    webhook_id: WebhookId,
    /// How far the delivery is.
    state: DeliveryState,
    /// How often it was attempted in this epoch.
    attempts: i32,
    /// The HTTP status of the latest attempt.
    status: Option<u16>,
    /// When the latest attempt began.
    last_attempt_at: Option<Timestamp>,
    /// When the next one is due.
    next_attempt_at: Option<Timestamp>,
}

/// What a list of events may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    cursor: Option<String>,
    /// Only those with this id of their producer's, or this reference.
    id: Option<String>,
    /// Only of this type; `*` stands for any run of characters.
    #[param(example = "todo.*")]
    r#type: Option<String>,
    /// Only of this company.
    company: Option<String>,
    /// Only of this project.
    project: Option<String>,
    /// Only those received since then.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<query::Moment>,
    /// Only those received before.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<query::Moment>,
}

/// List events
///
/// The latest first. A page looks at a bounded number of events: with filters it may hold few, or none,
/// though more follow. They are recorded a moment after they were routed, and kept for
/// `POSTHORN_RETENTION`.
#[utoipa::path(get, path = "/v1/events", tag = "events", params(ListQuery),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<EventSummary>)))]
async fn list(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageOf<EventSummary>>, Problem> {
    let limit = limit(query.limit)?;
    let place = read_place(query.cursor.as_deref())?;
    let filter = EventFilter {
        id: query.id.as_deref().map(|text| no_nul("id", text)).transpose()?,
        event_type: query.r#type.as_deref().map(|text| event_type("type", text)).transpose()?,
        company: query.company.as_deref().map(|text| no_nul("company", text)).transpose()?,
        project: query.project.as_deref().map(|text| no_nul("project", text)).transpose()?,
        since: query.since.map(|since| since.0),
        until: query.until.map(|until| until.0),
        companies: caller.companies.clone(),
    };
    let page = api.store.history.events(&filter, place.as_ref(), limit).await?;
    Ok(Json(PageOf {
        data: page.rows.into_iter().map(EventSummary::from).collect(),
        next_cursor: page.next.map(write_place),
    }))
}

/// Reads an event type with `*`.
pub(crate) fn event_type(parameter: &str, text: &str) -> Result<TypePattern, Problem> {
    text.parse().map_err(|error: posthorn_matching::event_type::BadTypePattern| {
        Problem::parameters(vec![Wrong::parameter(parameter, "bad_event_type", error.to_string())])
    })
}

/// Show an event
///
/// By its reference, or by its producer's id: 409 if several companies have used that. With its data, what
/// became of it for each webhook that wanted it, and what else came with its id.
#[utoipa::path(get, path = "/v1/events/{event}", tag = "events", params(("event" = String, Path)),
    security(("token" = ["read"])), responses((status = 200, body = EventDetail),
    (status = 409, description = "The id is that of several events")))]
async fn show(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Path(event): Path<String>,
) -> Result<Json<EventDetail>, Problem> {
    let found = naming::event(&api, &caller, &event).await?;
    let event = decode(&found)?;
    let attempts = api.store.history.latest_attempts(found.event_ref, found.digest).await?;
    let conflicts = api.store.history.conflicts_of(found.event_ref, found.digest).await?;
    let visible = visible(&api, &caller, &found, &attempts).await?;
    Ok(Json(EventDetail {
        data: data(&event)?,
        digest: found.digest.to_string(),
        conflicts: conflicts.into_iter().map(Conflict::read).collect::<Result<_, _>>()?,
        deliveries: deliveries(&found, attempts, visible.as_ref()),
        event: summary(&found)?,
    }))
}

/// What was recorded of an event was read before.
pub(crate) fn decode(found: &EventRecord) -> Result<Event, Problem> {
    Event::decode(&found.message, usize::MAX).map_err(|_| broken())
}

pub(crate) fn broken() -> Problem {
    Problem::new(Kind::Internal, "the recorded event cannot be read")
}

/// An event's data as JSON.
pub(crate) fn data(event: &Event) -> Result<Box<RawValue>, Problem> {
    let data = event.data();
    let raw: &RawValue = serde_json::from_str(&data).map_err(|_| broken())?;
    to_raw_value(raw).map_err(|_| broken())
}

fn summary(found: &EventRecord) -> Result<EventSummary, Problem> {
    let event = decode(found)?;
    Ok(EventSummary {
        r#ref: found.event_ref,
        id: event.id.0,
        r#type: event.event_type,
        company_id: event.company_id,
        project_id: Some(event.project_id).filter(|id| !id.is_empty()),
        occurred_at: event.occurred_at,
        received_at: found.received_at,
        webhooks: found.webhook_ids.len(),
    })
}

/// The webhooks of an event that the caller sees; `None` for all.
async fn visible(
    api: &Api,
    caller: &Caller,
    found: &EventRecord,
    attempts: &[AttemptRecord],
) -> Result<Option<HashSet<WebhookId>>, Problem> {
    let Some(companies) = &caller.companies else { return Ok(None) };
    let ids = found.webhook_ids.iter().copied().chain(attempts.iter().map(|attempt| attempt.webhook_id));
    let ids: Vec<_> = ids.collect();
    Ok(Some(api.store.webhooks.within(&ids, companies).await?.into_iter().collect()))
}

fn deliveries(
    found: &EventRecord,
    attempts: Vec<AttemptRecord>,
    visible: Option<&HashSet<WebhookId>>,
) -> Vec<DeliverySummary> {
    let mut latest: HashMap<_, _> =
        attempts.into_iter().map(|attempt| (attempt.webhook_id, attempt)).collect();
    // Those that got it though they had not wanted it, by a replay, come last.
    let mut ids = found.webhook_ids.clone();
    let mut others: Vec<_> = latest.keys().filter(|id| !ids.contains(id)).copied().collect();
    others.sort_unstable();
    ids.extend(others);
    let shown = ids.into_iter().filter(|id| visible.is_none_or(|visible| visible.contains(id)));
    let of = |webhook_id| {
        let attempt = latest.remove(&webhook_id);
        DeliverySummary {
            webhook_id,
            state: DeliveryState::after(attempt.as_ref().map(|attempt| attempt.step.kind())),
            attempts: attempt.as_ref().map_or(0, |attempt| attempt.attempt),
            status: attempt.as_ref().and_then(|attempt| attempt.outcome.status()),
            last_attempt_at: attempt.as_ref().map(|attempt| attempt.started_at),
            next_attempt_at: attempt.as_ref().and_then(|attempt| attempt.step.next_attempt()),
        }
    };
    shown.take(MOST_DELIVERIES).map(of).collect()
}

impl From<EventRow> for EventSummary {
    fn from(row: EventRow) -> Self {
        Self {
            r#ref: row.event_ref,
            id: row.id.0,
            r#type: row.event_type,
            company_id: row.company_id,
            project_id: Some(row.project_id).filter(|id| !id.is_empty()),
            occurred_at: row.occurred_at.map(Moment::from),
            received_at: row.received_at,
            webhooks: row.webhooks,
        }
    }
}
