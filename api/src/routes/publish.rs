//! Ingestion: events published over HTTP, for those who don't speak AMQP.

use std::collections::HashMap;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use posthorn_domain::{
    event::{Event, Field, Rejection},
    id::EventRef,
    moment::Moment,
};
use posthorn_matching::event_type::is_reserved;
use posthorn_proto::v1;
use prost::Message;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    body::{Body, Fields, read},
    caller::{Caller, May, Publish},
    checks::Checked,
    metrics::{self, Refused},
    once::{Answer, Once},
    problem::{Kind, Problem, Wrong},
    state::{Api, Shared},
};

/// The most events of a batch.
const MOST_EVENTS: usize = 1000;
/// How many of a batch are published at a time.
const AT_A_TIME: usize = 200;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(publish)).routes(routes!(publish_batch))
}

/// An event to publish.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EventInput {
    /// Unique within its company. Use the same when you publish the same event again after an unclear
    /// failure, and for no other event. Left out: a fresh one.
    #[schema(max_length = 255, pattern = "^[!-\\-/-~]+$")]
    id: Option<String>,
    /// What happened, such as `todo.created`; not `webhook.…`, which are Posthorn's own.
    #[schema(required = true, nullable = false, value_type = String, max_length = 255, example = "todo.created")]
    r#type: Option<String>,
    /// Whose event it is.
    #[schema(max_length = 255)]
    company_id: Option<String>,
    /// The project within the company.
    #[schema(max_length = 255)]
    project_id: Option<String>,
    /// When it happened. Left out: now.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Moment>,
    /// What the webhooks are told about it.
    #[schema(required = true, nullable = false, value_type = Object)]
    data: Option<Box<RawValue>>,
}

/// An event that RabbitMQ has safely.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Published {
    /// Its id.
    id: String,
    /// What names it among the events of all companies: the `webhook-id` that receivers see.
    #[schema(value_type = String)]
    r#ref: EventRef,
}

impl Published {
    fn of(event: v1::Event) -> Self {
        Self { r#ref: EventRef::new(&event.company_id, &event.id), id: event.id }
    }
}

impl EventInput {
    /// The event, if everything about it is right, and its data fit the schema of its type.
    pub(crate) async fn read(self, api: &Api, caller: &Caller) -> Result<v1::Event, Problem> {
        let event = self.check(api, caller).map_err(Problem::invalid)?;
        let checked = api.checks.check(api, caller.token_id, vec![Ok(event)]).await?;
        checked.into_iter().collect::<Result<Vec<_>, _>>().map_err(Problem::invalid)?.pop().ok_or_else(lost)
    }

    /// Checks everything but the data against a schema, and tells everything that is wrong.
    fn check(self, api: &Api, caller: &Caller) -> Result<v1::Event, Vec<Wrong>> {
        let event = v1::Event {
            id: self.id.unwrap_or_else(|| Uuid::now_v7().to_string()),
            r#type: self.r#type.unwrap_or_default(),
            company_id: self.company_id.unwrap_or_default(),
            project_id: self.project_id.unwrap_or_default(),
            occurred_at: self.occurred_at.map(|at| {
                let (seconds, nanos) = at.parts();
                prost_types::Timestamp { seconds, nanos }
            }),
            data: self.data.map(|data| v1::event::Data::Json(data.get().to_owned().into())),
        };
        let mut wrong: Vec<_> = Event::problems(&event).into_iter().map(wrong).collect();
        let size = event.encoded_len();
        if size > api.settings.most_event_bytes {
            let detail = format!(
                "it is {size} bytes, more than {} (POSTHORN_MAX_EVENT_BYTES)",
                api.settings.most_event_bytes
            );
            wrong.push(Wrong::at("", "too_large", detail));
        }
        if is_reserved(&event.r#type) {
            wrong.push(Wrong::at("/type", "reserved", "types that begin with `webhook.` are Posthorn's own"));
        }
        if !caller.sees(&event.company_id) {
            let detail = "this token publishes only events of its companies";
            wrong.push(Wrong::at("/company_id", "outside_scope", detail));
        }
        if wrong.is_empty() { Ok(event) } else { Err(wrong) }
    }
}

fn lost() -> Problem {
    Problem::new(Kind::Internal, "a check gives back what it was given")
}

/// Counts events of a company, or tells in how many seconds more may come.
fn count(api: &Api, company: &str, events: usize) -> Result<(), (u64, String)> {
    api.company_events.take_many(company.to_owned(), events).map_err(|seconds| {
        metrics::refused(Refused::CompanyEvents);
        let per_second = api.settings.company_events_per_second;
        let detail = format!(
            "company {company:?} has {per_second} events a second over HTTP (POSTHORN_COMPANY_EVENT_RATE): publish it \
             again in {seconds} s"
        );
        (seconds, detail)
    })
}

fn wrong(rejection: Rejection) -> Wrong {
    let pointer = match rejection.field {
        Field::Json | Field::Struct | Field::Data => "/data".to_owned(),
        Field::Message => String::new(),
        Field::Id | Field::Type | Field::CompanyId | Field::ProjectId | Field::OccurredAt => {
            format!("/{}", rejection.field)
        }
        // Events over HTTP have neither.
        Field::RoutingKey | Field::Journal => String::new(),
    };
    let detail = rejection.reason.replace("set `json` to a JSON object", "give a JSON object");
    Wrong::at(pointer, "bad_event", detail)
}

/// Publish an event
///
/// The answer comes once RabbitMQ has the event safely. After a failure, publish it again with the same
/// `id`: receivers may see it twice, and tell by `webhook-id`.
#[utoipa::path(post, path = "/v1/events", tag = "events", request_body = EventInput,
    security(("token" = ["publish"])), extensions(("x-idempotent" = json!(true))),
    responses((status = 202, body = Published)))]
async fn publish(
    May { caller, .. }: May<Publish>,
    State(api): State<Shared>,
    once: Once,
    body: Body<EventInput>,
) -> Result<Response, Problem> {
    let (shared, by, Body { value, sent }) = (api.clone(), caller.clone(), body);
    let act = async move {
        let (api, caller) = (shared, by);
        let event = value.read(&api, &caller).await?;
        let too_many = |(seconds, detail)| Problem::new(Kind::TooManyRequests, detail).after(seconds);
        count(&api, &event.company_id, 1).map_err(too_many)?;
        api.client.publish(&event).await?;
        Ok(Answer::new(StatusCode::ACCEPTED, &Published::of(event)))
    };
    once.perform(&api, &caller, sent, act).await
}

/// Events to publish.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Batch {
    /// The events.
    #[schema(required = true, nullable = false, value_type = Vec<EventInput>, min_items = 1, max_items = 1000)]
    events: Option<Vec<Box<RawValue>>>,
}

/// What became of each event of a batch, in the same order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchResult {
    /// The events.
    data: Vec<ItemResult>,
}

/// What became of an event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemResult {
    /// `published`; `refused`, because it is no event; or `unconfirmed`, also if its company has too many a
    /// second: publish it again with the same id.
    result: &'static str,
    /// Its id; null if it was refused.
    id: Option<String>,
    /// What names it among the events of all companies; null if it was refused.
    #[schema(value_type = Option<String>)]
    r#ref: Option<EventRef>,
    /// What is wrong with it.
    errors: Vec<Wrong>,
}

/// Publish up to 1,000 events
///
/// 202 if RabbitMQ has all of them safely, 207 if it has not: each has its own result.
#[utoipa::path(post, path = "/v1/events:batch", tag = "events", request_body = Batch,
    security(("token" = ["publish"])),
    responses((status = 202, body = BatchResult), (status = 207, body = BatchResult)))]
async fn publish_batch(
    May { caller, .. }: May<Publish>,
    State(api): State<Shared>,
    body: Body<Batch>,
) -> Result<Response, Problem> {
    let wrong = |code, detail: String| Problem::invalid(vec![Wrong::at("/events", code, detail)]);
    let events = match body.value.events {
        None => return Err(wrong("required", "say which events".to_owned())),
        Some(events) if events.is_empty() => return Err(wrong("empty_list", "there are none".to_owned())),
        Some(events) if events.len() > MOST_EVENTS => {
            return Err(wrong(
                "too_many",
                format!("{} events, at most {MOST_EVENTS} are allowed", events.len()),
            ));
        }
        Some(events) => events,
    };
    let read: Vec<_> = events.iter().map(|event| item(&api, &caller, event)).collect();
    let checked = api.checks.check(&api, caller.token_id, read).await?;
    let refused = over_rate(&api, &checked);
    let publishing = checked.into_iter().map(|checked| {
        let refused = checked.as_ref().ok().and_then(|event| refused.get(&event.company_id)).cloned();
        publish_item(api.clone(), checked, refused)
    });
    let data: Vec<_> = stream::iter(publishing).buffered(AT_A_TIME).collect().await;
    let all_published = data.iter().all(|item| item.result == "published");
    let status = if all_published { StatusCode::ACCEPTED } else { StatusCode::MULTI_STATUS };
    Ok((status, Json(BatchResult { data })).into_response())
}

/// The companies that have too many events, each with what it is told.
fn over_rate(api: &Api, checked: &[Checked]) -> HashMap<String, String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for event in checked.iter().flatten() {
        *counts.entry(&event.company_id).or_default() += 1;
    }
    let over = counts.into_iter().filter_map(|(company, events)| {
        let (_, detail) = count(api, company, events).err()?;
        Some((company.to_owned(), detail))
    });
    over.collect()
}

fn item(api: &Api, caller: &Caller, event: &RawValue) -> Result<v1::Event, Vec<Wrong>> {
    match serde_json::from_str::<Fields>(event.get()) {
        Ok(fields) => read::<EventInput>(&fields)?.check(api, caller),
        Err(_) => Err(vec![Wrong::at("", "wrong_type", "an event is a JSON object")]),
    }
}

async fn publish_item(api: Shared, checked: Checked, over_rate: Option<String>) -> ItemResult {
    let event = match checked {
        Ok(event) => event,
        Err(errors) => return ItemResult { result: "refused", id: None, r#ref: None, errors },
    };
    let (result, errors) = match over_rate {
        Some(detail) => ("unconfirmed", vec![Wrong::at("", "too_many_events", detail)]),
        None => match api.client.publish(&event).await {
            Ok(()) => ("published", Vec::new()),
            Err(error) => ("unconfirmed", vec![Wrong::at("", "unconfirmed", Problem::from(error).detail())]),
        },
    };
    let Published { id, r#ref } = Published::of(event);
    ItemResult { result, id: Some(id), r#ref: Some(r#ref), errors }
}
