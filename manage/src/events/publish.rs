//! Ingestion: events published by those who don't speak AMQP.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};
use posthorn_domain::{
    error_chain::error_chain,
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
use uuid::Uuid;

use crate::{
    checks::Checked,
    error::{Error, Kind, Wrong},
    fields::{Fields, read},
    manage::{Manage, Shared},
    metrics::{self, Refused},
    once::{Done, Once},
    principal::{May, Principal, Publish},
};

/// The most events of a batch.
const MOST_EVENTS: usize = 1000;
/// How many of a batch are published at a time.
const AT_A_TIME: usize = 200;

/// An event to publish.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EventInput {
    /// Unique within its company. Use the same when you publish the same event again after an unclear
    /// failure, and for no other event. Left out: a fresh one.
    #[schema(max_length = 255, pattern = "^[!-\\-/-~]+$")]
    pub id: Option<String>,
    /// What happened, such as `todo.created`; not `webhook.…`, which are Posthorn's own.
    #[schema(required = true, nullable = false, value_type = String, max_length = 255, example = "todo.created")]
    pub r#type: Option<String>,
    /// Whose event it is.
    #[schema(max_length = 255)]
    pub company_id: Option<String>,
    /// The project within the company.
    #[schema(max_length = 255)]
    pub project_id: Option<String>,
    /// When it happened. Left out: now.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub occurred_at: Option<Moment>,
    /// What the webhooks are told about it.
    #[schema(required = true, nullable = false, value_type = Object)]
    pub data: Option<Box<RawValue>>,
}

/// An event that RabbitMQ has safely.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Published {
    /// Its id.
    pub id: String,
    /// What names it among the events of all companies: the `webhook-id` that receivers see.
    #[schema(value_type = String)]
    pub r#ref: EventRef,
}

impl Published {
    fn of(event: v1::Event) -> Self {
        Self { r#ref: EventRef::new(&event.company_id, &event.id), id: event.id }
    }
}

impl EventInput {
    /// The event, if everything about it is right, and its data fit the schema of its type.
    pub(crate) async fn read(self, manage: &Manage, by: &Principal) -> Result<v1::Event, Error> {
        let event = self.check(manage, by).map_err(Error::invalid)?;
        let checked = manage.checks.check(&manage.access, by.token_id, vec![Ok(event)]).await?;
        checked.into_iter().collect::<Result<Vec<_>, _>>().map_err(Error::invalid)?.pop().ok_or_else(lost)
    }

    /// Checks everything but the data against a schema, and tells everything that is wrong.
    fn check(self, manage: &Manage, by: &Principal) -> Result<v1::Event, Vec<Wrong>> {
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
        if size > manage.settings.most_event_bytes {
            let detail = format!(
                "it is {size} bytes, more than {} (POSTHORN_MAX_EVENT_BYTES)",
                manage.settings.most_event_bytes
            );
            wrong.push(Wrong::at("", "too_large", detail));
        }
        if is_reserved(&event.r#type) {
            wrong.push(Wrong::at("/type", "reserved", "types that begin with `webhook.` are Posthorn's own"));
        }
        if !by.sees(&event.company_id) {
            let detail = "this token publishes only events of its companies";
            wrong.push(Wrong::at("/company_id", "outside_scope", detail));
        }
        if wrong.is_empty() { Ok(event) } else { Err(wrong) }
    }
}

fn lost() -> Error {
    Error::new(Kind::Internal, "a check gives back what it was given")
}

/// Counts events of a company, or tells in how many seconds more may come.
fn count(manage: &Manage, company: &str, events: usize) -> Result<(), (u64, String)> {
    manage.company_events.take_many(company.to_owned(), events).map_err(|seconds| {
        metrics::refused(Refused::CompanyEvents);
        let per_second = manage.settings.company_events_per_second;
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

/// Publishes an event: it is done once RabbitMQ has it safely.
///
/// # Errors
/// If it is no event, its company has too many, or RabbitMQ does not confirm it.
pub async fn publish(
    manage: &Shared,
    by: &May<Publish>,
    once: Once,
    input: EventInput,
) -> Result<Done<Published>, Error> {
    let (shared, may) = (manage.clone(), by.clone());
    let act = async move {
        let event = input.read(&shared, &may).await?;
        let too_many = |(seconds, detail)| Error::new(Kind::TooManyRequests, detail).after(seconds);
        count(&shared, &event.company_id, 1).map_err(too_many)?;
        send(&shared, &event).await?;
        Ok(Published::of(event))
    };
    manage.once(by, once, act).await
}

/// Events to publish.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Batch {
    /// The events.
    #[schema(required = true, nullable = false, value_type = Vec<EventInput>, min_items = 1, max_items = 1000)]
    pub events: Option<Vec<Box<RawValue>>>,
}

/// What became of each event of a batch, in the same order.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchResult {
    /// The events.
    pub data: Vec<ItemResult>,
}

/// What became of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemResult {
    /// `published`; `refused`, because it is no event; or `unconfirmed`, also if its company has too many a
    /// second: publish it again with the same id.
    pub result: &'static str,
    /// Its id; null if it was refused.
    pub id: Option<String>,
    /// What names it among the events of all companies; null if it was refused.
    #[schema(value_type = Option<String>)]
    pub r#ref: Option<EventRef>,
    /// What is wrong with it.
    pub errors: Vec<Wrong>,
}

impl BatchResult {
    /// Whether RabbitMQ has all of them.
    pub fn is_whole(&self) -> bool {
        self.data.iter().all(|item| item.result == "published")
    }
}

/// Sends an event and waits for the confirm.
async fn send(manage: &Manage, event: &v1::Event) -> Result<(), Error> {
    Ok(manage.client()?.publish(event).await?)
}

/// Publishes many events; each has its own result.
///
/// # Errors
/// If they are no list, or too many.
pub async fn publish_batch(manage: &Shared, by: &May<Publish>, batch: Batch) -> Result<BatchResult, Error> {
    let events = batch.check()?;
    let read: Vec<_> = events.iter().map(|event| item(manage, by, event)).collect();
    let checked = manage.checks.check(&manage.access, by.token_id, read).await?;
    let refused = over_rate(manage, &checked);
    let publishing = checked.into_iter().map(|checked| {
        let refused = checked.as_ref().ok().and_then(|event| refused.get(&event.company_id)).cloned();
        publish_item(manage.clone(), checked, refused)
    });
    Ok(BatchResult { data: stream::iter(publishing).buffered(AT_A_TIME).collect().await })
}

impl Batch {
    fn check(self) -> Result<Vec<Box<RawValue>>, Error> {
        let wrong = |code, detail: String| Error::invalid(vec![Wrong::at("/events", code, detail)]);
        match self.events {
            None => Err(wrong("required", "say which events".to_owned())),
            Some(events) if events.is_empty() => Err(wrong("empty_list", "there are none".to_owned())),
            Some(events) if events.len() > MOST_EVENTS => {
                let detail = format!("{} events, at most {MOST_EVENTS} are allowed", events.len());
                Err(wrong("too_many", detail))
            }
            Some(events) => Ok(events),
        }
    }
}

/// The companies that have too many events, each with what it is told.
fn over_rate(manage: &Manage, checked: &[Checked]) -> HashMap<String, String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for event in checked.iter().flatten() {
        *counts.entry(&event.company_id).or_default() += 1;
    }
    let over = counts.into_iter().filter_map(|(company, events)| {
        let (_, detail) = count(manage, company, events).err()?;
        Some((company.to_owned(), detail))
    });
    over.collect()
}

fn item(manage: &Manage, by: &Principal, event: &RawValue) -> Result<v1::Event, Vec<Wrong>> {
    match serde_json::from_str::<Fields>(event.get()) {
        Ok(fields) => read::<EventInput>(&fields)?.check(manage, by),
        Err(_) => Err(vec![Wrong::at("", "wrong_type", "an event is a JSON object")]),
    }
}

async fn publish_item(manage: Shared, checked: Checked, over_rate: Option<String>) -> ItemResult {
    let event = match checked {
        Ok(event) => event,
        Err(errors) => return ItemResult { result: "refused", id: None, r#ref: None, errors },
    };
    let (result, errors) = match over_rate {
        Some(detail) => ("unconfirmed", vec![Wrong::at("", "too_many_events", detail)]),
        None => match send(&manage, &event).await {
            Ok(()) => ("published", Vec::new()),
            Err(error) => {
                tracing::warn!("cannot publish an event: {}", error_chain(&error));
                ("unconfirmed", vec![Wrong::at("", "unconfirmed", error.detail)])
            }
        },
    };
    let Published { id, r#ref } = Published::of(event);
    ItemResult { result, id: Some(id), r#ref: Some(r#ref), errors }
}
