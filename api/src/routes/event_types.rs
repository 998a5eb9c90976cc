//! Event types, as people describe them. All companies share them: every token sees them, and those that
//! see all companies change them.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use posthorn_domain::{schema::Schema, webhook::owner};
use posthorn_matching::{
    event_type::{is_event_type, is_reserved},
    storable,
};
use posthorn_store::{EventType, EventTypeDescription};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    body::Body,
    caller::{Caller, May, Read, Write},
    problem::{Kind, Problem, Wrong},
    query::{PageOf, Query, limit, next_page, no_nul, read_cursor},
    state::Shared,
    version,
};

/// The largest example in bytes.
const LONGEST_EXAMPLE: usize = 64 << 10;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, describe, remove))
}

/// An event type.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "EventType")]
pub(crate) struct EventTypeView {
    /// Such as `todo.created`.
    r#type: String,
    /// What it means.
    description: String,
    /// Under which heading it is shown.
    group: String,
    /// Data of an example event.
    #[schema(value_type = Option<Object>)]
    example: Option<Box<RawValue>>,
    /// The JSON Schema of its data: what is published over HTTP must fit it.
    #[schema(value_type = Option<Value>)]
    schema: Option<Box<RawValue>>,
    /// When it was seen or described first.
    created_at: Timestamp,
    /// When it was described last.
    updated_at: Timestamp,
}

impl From<EventType> for EventTypeView {
    fn from(found: EventType) -> Self {
        let EventTypeDescription { description, group, example, schema } = found.described;
        let (created_at, updated_at) = (found.created_at, found.updated_at);
        Self { r#type: found.name, description, group, example, schema, created_at, updated_at }
    }
}

/// An event type as people describe it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EventTypeInput {
    /// What it means.
    #[schema(max_length = 2000, default = "")]
    description: Option<String>,
    /// Under which heading it is shown.
    #[schema(max_length = 200, default = "")]
    group: Option<String>,
    /// Data of an example event, at most 64 KiB.
    #[schema(value_type = Option<Object>)]
    example: Option<Box<RawValue>>,
    /// A JSON Schema (draft 4 to 2020-12) that the data of events published over HTTP must fit, at most
    /// 64 KiB. References to other documents are refused, and regular expressions with look-around.
    #[schema(value_type = Option<Object>)]
    schema: Option<Box<RawValue>>,
}

impl EventTypeInput {
    fn check(self) -> Result<EventTypeDescription, Problem> {
        let mut wrong = Vec::new();
        let mut text = |pointer, text: Option<String>, most| {
            let text = text.unwrap_or_default();
            let checked = owner::check_text(&text, most);
            wrong.extend(checked.err().map(|detail| Wrong::at(pointer, "bad_text", detail)));
            text
        };
        let description = text("/description", self.description, owner::LONGEST_DESCRIPTION);
        let group = text("/group", self.group, owner::LONGEST_NAME);
        wrong.extend(self.example.as_deref().map(faults_of_example).unwrap_or_default());
        if let Some(schema) = &self.schema {
            let example = self.example.as_ref().filter(|_| wrong.is_empty());
            match (Schema::compile(schema.get()), example) {
                (Err(problems), _) => {
                    wrong.extend(problems.into_iter().map(|problem| Wrong::of("/schema", problem)));
                }
                (Ok(schema), Some(example)) => {
                    let problems = schema.check(example.get()).err().unwrap_or_default();
                    wrong.extend(problems.into_iter().map(|problem| Wrong::of("/example", problem)));
                }
                (Ok(_), None) => {}
            }
        }
        match wrong.is_empty() {
            true => {
                Ok(EventTypeDescription { description, group, example: self.example, schema: self.schema })
            }
            false => Err(Problem::invalid(wrong)),
        }
    }
}

fn faults_of_example(example: &RawValue) -> Vec<Wrong> {
    let wrong = |code, detail: String| vec![Wrong::at("/example", code, detail)];
    match serde_json::from_str(example.get()) {
        Ok(Value::Object(_)) if example.get().len() > LONGEST_EXAMPLE => {
            wrong("too_long", "at most 64 KiB are allowed".to_owned())
        }
        Ok(Value::Object(_)) => {
            let unstorable = storable::problems(example.get()).into_iter();
            unstorable.map(|problem| Wrong::of("/example", problem)).collect()
        }
        Ok(_) => wrong("wrong_type", "it is a JSON object, as data is".to_owned()),
        Err(error) => {
            let unstorable = storable::problems(example.get()).into_iter();
            let unstorable: Vec<_> = unstorable.map(|problem| Wrong::of("/example", problem)).collect();
            match unstorable.is_empty() {
                true => wrong("wrong_type", format!("it cannot be read: {error}")),
                false => unstorable,
            }
        }
    }
}

/// What a list of event types may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    cursor: Option<String>,
    /// Only those in whose name, group or description this text occurs, whatever the case.
    q: Option<String>,
}

/// List event types
///
/// By name: those that were seen in events, and those that were described.
#[utoipa::path(get, path = "/v1/event-types", tag = "catalogue", params(ListQuery),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<EventTypeView>)))]
async fn list(
    _: May<Read>,
    State(api): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageOf<EventTypeView>>, Problem> {
    let limit = limit(query.limit)?;
    let text = no_nul("q", &query.q.unwrap_or_default())?;
    let after = no_nul("cursor", &read_cursor::<String>(query.cursor.as_deref())?.unwrap_or_default())?;
    let found = api.store.catalogue.event_types(&text, &after, limit as u32).await?;
    let next_cursor = next_page(&found, limit, |last| last.name.clone());
    Ok(Json(PageOf { data: found.into_iter().map(EventTypeView::from).collect(), next_cursor }))
}

/// Show an event type
#[utoipa::path(get, path = "/v1/event-types/{type}", tag = "catalogue", params(("type" = String, Path)),
    security(("token" = ["read"])), responses((status = 200, body = EventTypeView)))]
async fn show(
    _: May<Read>,
    State(api): State<Shared>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let found = match is_event_type(&name) {
        true => api.store.catalogue.event_type(&name).await?,
        false => None,
    };
    Ok(answer(found.ok_or_else(not_found)?))
}

/// Describe an event type
///
/// Seen or not. What is left out is empty. With a schema, events of this type that are published over HTTP
/// are refused unless their data fits; those over AMQP are not looked at.
#[utoipa::path(put, path = "/v1/event-types/{type}", tag = "catalogue",
    params(("type" = String, Path), ("if-match" = Option<String>, Header)),
    request_body = EventTypeInput, security(("token" = ["write"])),
    responses((status = 200, body = EventTypeView), (status = 409, description = "It is one of Posthorn's own"), (status = 412, description = "It was changed meanwhile")))]
async fn describe(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body<EventTypeInput>,
) -> Result<Response, Problem> {
    may_change(&caller, &name)?;
    let input = body.value;
    // A schema may take long to be compiled.
    let described = api.checks.run(caller.token_id, move || input.check()).await??;
    let actor = caller.acts("event_type.describe");
    loop {
        let expected = match headers.contains_key(header::IF_MATCH) {
            true => Some(version_of(&api, &headers, &name).await?),
            false => None,
        };
        let described = api.store.catalogue.describe_event_type(&name, &described, expected, &actor).await?;
        match described {
            Some(described) => {
                api.access.describe(&name, Some(&described));
                return Ok(answer(described));
            }
            // Another change was quicker: `*` asks for none in particular, any other version is gone.
            None if version::is_any(&headers) => {}
            None => return Err(Problem::new(Kind::Changed, "it was changed meanwhile")),
        }
    }
}

/// Forget an event type
///
/// With its description and schema. It comes back when an event of this type is seen again.
#[utoipa::path(delete, path = "/v1/event-types/{type}", tag = "catalogue", params(("type" = String, Path)),
    security(("token" = ["write"])),
    responses((status = 204, description = "It is forgotten"), (status = 409, description = "It is one of Posthorn's own")))]
async fn remove(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    may_change(&caller, &name)?;
    let was_there = api.store.catalogue.delete_event_type(&name, &caller.acts("event_type.delete")).await?;
    api.access.describe(&name, None);
    if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(not_found()) }
}

fn may_change(caller: &Caller, name: &str) -> Result<(), Problem> {
    if caller.companies.is_some() {
        let detail = "event types are shared by all companies: a token that sees them all changes them";
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    match name {
        name if !is_event_type(name) => Err(not_found()),
        name if is_reserved(name) => {
            Err(Problem::new(Kind::Conflict, "types that begin with `webhook.` are Posthorn's own"))
        }
        _ => Ok(()),
    }
}

/// The revision that a change with `If-Match` is based on.
async fn version_of(api: &Shared, headers: &HeaderMap, name: &str) -> Result<i64, Problem> {
    let found = api.store.catalogue.event_type(name).await?;
    let found = found.ok_or_else(|| Problem::new(Kind::Changed, "it is not described yet"))?;
    version::check(headers, found.revision)?;
    Ok(found.revision)
}

fn answer(found: EventType) -> Response {
    ([(header::ETAG, version::etag(found.revision))], Json(EventTypeView::from(found))).into_response()
}

fn not_found() -> Problem {
    Problem::not_found("event type")
}
