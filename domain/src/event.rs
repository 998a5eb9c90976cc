//! Events: read from the wire, checked, and written as the JSON that webhooks receive.
//!
//! Reading scans the data once and builds nothing from it. A message that is not an event is a [`Rejection`],
//! which names the field at fault.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_matching::{
    event::{BodyReader, Names},
    event_type::{is_event_type, is_reserved},
};
use posthorn_proto::v1::{self, event::Data};
use prost::Message;
use serde::{Deserialize, de::IgnoredAny};
use uuid::Uuid;

use crate::{
    id::{EventId, EventRef, WebhookId, digest},
    moment::Moment,
};

mod rejection;
mod structure;

use rejection::refuse;
pub use rejection::{Field, Rejection};

/// The longest id in bytes: an event's is an AMQP message id, a short string.
pub const LONGEST_ID: usize = 255;

/// Something that happened. See `proto/posthorn/v1/event.proto` for the fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Unique within its company.
    pub id: EventId,
    /// Such as `todo.created`.
    pub event_type: String,
    /// Whose event it is.
    pub company_id: String,
    /// Empty for an event of the company itself.
    pub project_id: String,
    /// When it happened, if the producer said so.
    pub occurred_at: Option<Moment>,
    data: Data,
}

/// Distinguishes contents that came with one id: 128 bits of SHA-256 over what receivers see of an event. Two
/// messages that receivers see as equal have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentDigest(pub Uuid);

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// What is read of the data of Posthorn's own events.
#[derive(Deserialize)]
struct About {
    webhook: Subject,
}

#[derive(Deserialize)]
struct Subject {
    id: WebhookId,
}

impl Event {
    /// Reads an event from a message of at most `most_bytes`.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn decode(message: &Bytes, most_bytes: usize) -> Result<Self, Rejection> {
        if message.len() > most_bytes {
            return refuse(Field::Message, format!("is {} bytes, more than {most_bytes}", message.len()));
        }
        let wire = match v1::Event::decode(message.clone()) {
            Ok(wire) => wire,
            Err(error) => return refuse(Field::Message, format!("is not a posthorn.v1.Event: {error}")),
        };
        check_id(&wire.id)?;
        check_type(&wire.r#type)?;
        check_name(Field::CompanyId, &wire.company_id)?;
        check_name(Field::ProjectId, &wire.project_id)?;
        let occurred_at = wire.occurred_at.map(read_time).transpose()?;
        let Some(data) = wire.data else {
            return refuse(Field::Data, NO_DATA);
        };
        check_data(&data)?;
        Ok(Self {
            id: EventId(wire.id),
            event_type: wire.r#type,
            company_id: wire.company_id,
            project_id: wire.project_id,
            occurred_at,
            data,
        })
    }

    /// Its name among the events of all companies.
    pub fn event_ref(&self) -> EventRef {
        EventRef::new(&self.company_id, self.id.as_str())
    }

    /// The digest of its content. The time of arrival, which
    /// stands in for a missing `occurred_at`, is no part of it: a repetition has the same.
    pub fn digest(&self) -> ContentDigest {
        let time = self.occurred_at.map(Moment::rfc3339_millis).unwrap_or_default();
        let parts = [&self.event_type, &self.project_id, &time].map(|part| part.as_bytes());
        let [event_type, project, time] = parts;
        ContentDigest(digest([event_type, project, time, self.data().as_bytes()]))
    }

    /// The webhook that one of Posthorn's own events is about.
    pub fn about(&self) -> Option<WebhookId> {
        if !is_reserved(&self.event_type) {
            return None;
        }
        let about: About = serde_json::from_str(&self.data()).ok()?;
        Some(about.webhook.id)
    }

    /// All that is wrong with an event as it would be published, but for its size.
    pub fn problems(wire: &v1::Event) -> Vec<Rejection> {
        let data = match &wire.data {
            Some(data) => check_data(data),
            None => refuse(Field::Data, NO_DATA),
        };
        let checks = [
            check_id(&wire.id),
            check_type(&wire.r#type),
            check_name(Field::CompanyId, &wire.company_id),
            check_name(Field::ProjectId, &wire.project_id),
            wire.occurred_at.map_or(Ok(()), |time| read_time(time).map(|_| ())),
            data,
        ];
        checks.into_iter().filter_map(Result::err).collect()
    }

    /// The data as JSON text, without space around it.
    pub fn data(&self) -> Cow<'_, str> {
        const CHECKED: &str = "data is checked to be UTF-8 when it is read";
        match &self.data {
            Data::Json(json) => std::str::from_utf8(json.trim_ascii()).expect(CHECKED).into(),
            Data::Struct(object) => {
                let mut json = Vec::new();
                structure::write(object, &mut json);
                String::from_utf8(json).expect(CHECKED).into()
            }
        }
    }

    /// The event as rules see it, which arrived at `received_at`.
    pub fn received_at(&self, received_at: Timestamp) -> ReceivedEvent<'_> {
        ReceivedEvent { event: self, received_at }
    }

    /// The JSON body that webhooks receive; `received_at` stands in for a missing `occurred_at`.
    pub fn body(&self, received_at: Timestamp) -> Vec<u8> {
        let time = self.time(received_at);
        let mut body = Vec::with_capacity(256);
        for (name, value) in [
            ("{\"id\":", self.id.as_str()),
            (",\"type\":", &self.event_type),
            (",\"timestamp\":", &time),
            (",\"company_id\":", &self.company_id),
            (",\"project_id\":", &self.project_id),
        ] {
            body.extend_from_slice(name.as_bytes());
            serde_json::to_writer(&mut body, value).expect("a string always serializes into memory");
        }
        body.extend_from_slice(b",\"data\":");
        match &self.data {
            Data::Json(json) => body.extend_from_slice(json.trim_ascii()),
            Data::Struct(object) => structure::write(object, &mut body),
        }
        body.push(b'}');
        body
    }

    fn time(&self, received_at: Timestamp) -> String {
        self.occurred_at.unwrap_or(received_at.into()).rfc3339_millis()
    }
}

const NO_DATA: &str = "is missing: set `json` to a JSON object, {} if there is nothing to say";

fn check_id(id: &str) -> Result<(), Rejection> {
    if id.is_empty() {
        return refuse(Field::Id, "is empty: every event needs an id that is unique within its company");
    }
    if id.len() > LONGEST_ID {
        return refuse(Field::Id, format!("is {} bytes, more than {LONGEST_ID}", id.len()));
    }
    // Standard Webhooks 1.0.0, "webhook-id": no dot, since it separates the signed parts.
    match id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.') {
        true => Ok(()),
        false => refuse(Field::Id, format!("{id:?} may hold only visible ASCII characters, and no dot")),
    }
}

fn check_type(event_type: &str) -> Result<(), Rejection> {
    match event_type {
        "" => refuse(Field::Type, "is empty: say what happened, such as todo.created"),
        good if is_event_type(good) => Ok(()),
        bad => refuse(
            Field::Type,
            format!("{bad:?} is not dot-separated parts of [A-Za-z0-9_], such as todo.created"),
        ),
    }
}

fn check_name(field: Field, name: &str) -> Result<(), Rejection> {
    if name.len() > LONGEST_ID {
        return refuse(field, format!("is {} bytes, more than {LONGEST_ID}", name.len()));
    }
    match name.chars().any(char::is_control) {
        true => refuse(field, format!("{name:?} holds a control character")),
        false => Ok(()),
    }
}

/// google.protobuf.Timestamp: from year 1 to year 9999, nanoseconds count forward.
fn read_time(time: prost_types::Timestamp) -> Result<Moment, Rejection> {
    let no_time = |_| Rejection {
        field: Field::OccurredAt,
        reason: format!("{} s and {} ns is not a time", time.seconds, time.nanos),
    };
    Moment::new(time.seconds, time.nanos).map_err(no_time)
}

fn check_data(data: &Data) -> Result<(), Rejection> {
    match data {
        Data::Struct(object) => structure::check(object),
        Data::Json(json) => {
            if json.trim_ascii_start().first() != Some(&b'{') {
                return refuse(Field::Json, "is not a JSON object");
            }
            let Ok(text) = std::str::from_utf8(json) else {
                return refuse(Field::Json, "is not UTF-8");
            };
            match serde_json::from_str::<IgnoredAny>(text) {
                Ok(_) => Ok(()),
                Err(error) => refuse(Field::Json, format!("is not a JSON object: {error}")),
            }
        }
    }
}

/// RFC 3339 in UTC with milliseconds, such as `2026-11-23T09:30:00.123Z`.
pub fn rfc3339_millis(time: Timestamp) -> String {
    Moment::from(time).rfc3339_millis()
}

/// An event with the time of its arrival, which stands in for a missing `occurred_at`: what rules match is
/// the body that webhooks receive.
#[derive(Debug, Clone, Copy)]
pub struct ReceivedEvent<'e> {
    event: &'e Event,
    received_at: Timestamp,
}

impl posthorn_matching::Event for ReceivedEvent<'_> {
    fn names(&self) -> Names<'_> {
        let Event { event_type, company_id, project_id, .. } = self.event;
        Names { event_type, company_id, project_id }
    }

    /// As [`Event::body`] writes it, without writing it.
    fn read_body<'e>(&'e self, reader: &mut BodyReader<'_, 'e>) {
        let event = self.event;
        reader.text("id", || event.id.as_str().into());
        reader.text("type", || (&event.event_type).into());
        reader.text("timestamp", || event.time(self.received_at).into());
        reader.text("company_id", || (&event.company_id).into());
        reader.text("project_id", || (&event.project_id).into());
        reader.json("data", || event.data());
    }
}

#[cfg(test)]
pub(crate) mod tests;
