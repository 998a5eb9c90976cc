//! Rejected events: messages that are no events, looked at, repaired, discarded.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use bytes::Bytes;
use jiff::Timestamp;
use posthorn_domain::{
    event::{Event, Field},
    id::EventRef,
    rejected::Resolution,
};
use posthorn_proto::v1;
use posthorn_store::RejectedRecord;
use prost::Message;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    body::{Body, OptionalBody},
    caller::{Caller, May, Read, Write},
    id::RejectedId,
    once::{Answer, Once},
    problem::{Kind, Problem, Wrong},
    query::{PageOf, Query, limit, next_page, read_cursor},
    routes::publish::EventInput,
    state::{Api, Shared},
};

/// The most bytes that are shown.
const MOST_SHOWN: usize = 64 << 10;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(publish))
        .routes(routes!(discard))
}

/// A message that is no event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rejected {
    /// `rej_…`
    id: String,
    /// When it was refused.
    rejected_at: Timestamp,
    /// The field at fault, or `message` for the whole.
    #[schema(value_type = String)]
    field: Field,
    /// What is wrong with it.
    reason: String,
    /// The AMQP routing key it came with.
    routing_key: String,
    /// The AMQP message id it came with.
    message_id: String,
    /// Its size in bytes.
    size: i64,
    /// What somebody has made of it: `published` again, or `discarded`; null if nobody has looked after it.
    #[schema(value_type = Option<String>)]
    resolution: Option<Resolution>,
    /// When that was.
    resolved_at: Option<Timestamp>,
}

/// A message that is no event, with its bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RejectedDetail {
    /// The message.
    #[serde(flatten)]
    rejected: Rejected,
    /// Its first 64 KiB in hexadecimal digits.
    hex: String,
    /// The same as text; what is no text in it is replaced.
    text: String,
    /// Whether these are all its bytes.
    is_whole: bool,
}

impl From<RejectedRecord> for Rejected {
    fn from(row: RejectedRecord) -> Self {
        Self {
            id: RejectedId(row.id).to_string(),
            rejected_at: row.rejected_at,
            field: row.field,
            reason: row.reason,
            routing_key: row.routing_key,
            message_id: row.message_id,
            size: row.size,
            resolution: row.resolution,
            resolved_at: row.resolved_at,
        }
    }
}

/// What a list of rejected events may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    cursor: Option<String>,
    /// Only those that nobody has looked after (true), or only the others (false).
    open: Option<bool>,
}

/// List rejected events
///
/// The latest first. Nobody knows whose they are: a token for some companies sees none.
#[utoipa::path(get, path = "/v1/rejected-events", tag = "rejected events", params(ListQuery),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<Rejected>)))]
async fn list(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageOf<Rejected>>, Problem> {
    let limit = limit(query.limit)?;
    let before = read_cursor::<Uuid>(query.cursor.as_deref())?;
    if caller.companies.is_some() {
        return Ok(Json(PageOf { data: Vec::new(), next_cursor: None }));
    }
    let rows = api.store.history.rejected_events(before, query.open, limit as i64).await?;
    let next_cursor = next_page(&rows, limit, |row| row.id);
    Ok(Json(PageOf { data: rows.into_iter().map(Rejected::from).collect(), next_cursor }))
}

/// Show a rejected event
///
/// With its bytes, as hexadecimal digits and as text.
#[utoipa::path(get, path = "/v1/rejected-events/{id}", tag = "rejected events", params(("id" = String, Path)),
    security(("token" = ["read"])), responses((status = 200, body = RejectedDetail)))]
async fn show(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<RejectedDetail>, Problem> {
    let (row, bytes) = find(&api, &caller, &id).await?;
    let shown = &bytes[..bytes.len().min(MOST_SHOWN)];
    Ok(Json(RejectedDetail {
        is_whole: usize::try_from(row.size).is_ok_and(|size| size == shown.len()),
        hex: shown.iter().map(|byte| format!("{byte:02x}")).collect(),
        text: String::from_utf8_lossy(shown).into_owned(),
        rejected: row.into(),
    }))
}

/// A rejected event that was published.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Republished {
    /// `rej_…`
    id: String,
    /// The event that was published.
    #[schema(value_type = String)]
    event_ref: EventRef,
    /// Its id.
    event_id: String,
}

/// Publish a rejected event after repair
///
/// The body is the repaired event. Without a body the message is published as it is, if it is an event by
/// now, for example since `POSTHORN_MAX_EVENT_BYTES` was raised.
#[utoipa::path(post, path = "/v1/rejected-events/{id}/publish", tag = "rejected events", params(("id" = String, Path)),
    request_body(content = Option<EventInput>), security(("token" = ["write"])), extensions(("x-idempotent" = json!(true))),
    responses((status = 202, body = Republished), (status = 409, description = "Somebody has looked after it")))]
async fn publish(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    once: Once,
    OptionalBody(body): OptionalBody<EventInput>,
) -> Result<Response, Problem> {
    let (row, bytes) = find(&api, &caller, &id).await?;
    let (shared, by, Body { value, sent }) = (api.clone(), caller.clone(), body);
    let repaired = (!sent.bytes.is_empty()).then_some(value);
    let act = async move {
        let (api, caller) = (shared, by);
        must_be_open(&row)?;
        let event = match repaired {
            None => as_it_is(&row, bytes, &api)?,
            Some(repaired) => repaired.read(&api, &caller).await?,
        };
        let (message, actor) = (event.encode_to_vec().into(), caller.acts("rejected_event.publish"));
        let promised = api.store.background.publish_rejected_event(row.id, message, &actor).await?;
        api.send(promised.ok_or_else(|| resolved("resolved"))?).await;
        let event_ref = EventRef::new(&event.company_id, &event.id);
        let republished = Republished { id: RejectedId(row.id).to_string(), event_ref, event_id: event.id };
        Ok(Answer::new(StatusCode::ACCEPTED, &republished))
    };
    once.perform(&api, &caller, sent, act).await
}

fn as_it_is(row: &RejectedRecord, bytes: Bytes, api: &Api) -> Result<v1::Event, Problem> {
    let wrong = |detail: String| Problem::invalid(vec![Wrong::at("", "bad_event", detail)]);
    if usize::try_from(row.size).is_ok_and(|size| size != bytes.len()) {
        return Err(wrong("only the beginning of the message was kept: give the repaired event".to_owned()));
    }
    if let Err(rejection) = Event::decode(&bytes, api.settings.most_event_bytes) {
        return Err(wrong(format!("it is still no event ({rejection}): give the repaired one")));
    }
    v1::Event::decode(bytes).map_err(|error| wrong(error.to_string()))
}

/// Discard a rejected event
///
/// It stays in the list as discarded until `POSTHORN_RETENTION` is over.
#[utoipa::path(post, path = "/v1/rejected-events/{id}/discard", tag = "rejected events", params(("id" = String, Path)),
    security(("token" = ["write"])),
    responses((status = 204, description = "It is discarded"), (status = 409, description = "Somebody has looked after it")))]
async fn discard(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let (row, _) = find(&api, &caller, &id).await?;
    must_be_open(&row)?;
    let actor = caller.acts("rejected_event.discard");
    match api.store.background.discard_rejected_event(row.id, &actor).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(resolved("resolved")),
    }
}

fn must_be_open(row: &RejectedRecord) -> Result<(), Problem> {
    row.resolution.map_or(Ok(()), |resolution| Err(resolved(resolution.label())))
}

fn resolved(resolution: &str) -> Problem {
    Problem::new(Kind::Conflict, format!("it was {resolution} already"))
}

async fn find(api: &Api, caller: &Caller, id: &str) -> Result<(RejectedRecord, Bytes), Problem> {
    let id = RejectedId::read(id)?;
    let found = match caller.companies {
        None => api.store.history.rejected_event(id.0).await?,
        Some(_) => None,
    };
    found.ok_or_else(|| Problem::not_found("rejected event"))
}
