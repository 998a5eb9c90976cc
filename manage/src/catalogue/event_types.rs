//! Event types, as people describe them. All companies share them: every principal sees them, and those that
//! see all companies change them.

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

use crate::{
    error::{Error, Kind, Wrong},
    manage::Manage,
    page::{PageOf, Paging, text},
    principal::{May, Principal, Read, Write},
    version::{Expected, Versioned},
};

/// The largest example in bytes.
const LONGEST_EXAMPLE: usize = 64 << 10;

/// An event type.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "EventType")]
pub struct EventTypeView {
    /// Such as `todo.created`.
    pub r#type: String,
    /// What it means.
    pub description: String,
    /// Under which heading it is shown.
    pub group: String,
    /// Data of an example event.
    #[schema(value_type = Option<Object>)]
    pub example: Option<Box<RawValue>>,
    /// The JSON Schema of its data: what is published over HTTP must fit it.
    #[schema(value_type = Option<Value>)]
    pub schema: Option<Box<RawValue>>,
    /// When it was seen or described first.
    pub created_at: Timestamp,
    /// When it was described last.
    pub updated_at: Timestamp,
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
pub struct EventTypeInput {
    /// What it means.
    #[schema(max_length = 2000, default = "")]
    pub description: Option<String>,
    /// Under which heading it is shown.
    #[schema(max_length = 200, default = "")]
    pub group: Option<String>,
    /// Data of an example event, at most 64 KiB.
    #[schema(value_type = Option<Object>)]
    pub example: Option<Box<RawValue>>,
    /// A JSON Schema (draft 4 to 2020-12) that the data of events published over HTTP must fit, at most
    /// 64 KiB. References to other documents are refused, and regular expressions with look-around.
    #[schema(value_type = Option<Object>)]
    pub schema: Option<Box<RawValue>>,
}

impl EventTypeInput {
    fn check(self) -> Result<EventTypeDescription, Error> {
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
            false => Err(Error::invalid(wrong)),
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
pub struct ListEventTypes {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    pub cursor: Option<String>,
    /// Only those in whose name, group or description this text occurs, whatever the case.
    pub q: Option<String>,
}

/// Event types by name: those that were seen in events, and those that were described.
///
/// # Errors
/// If what is asked for cannot be.
pub async fn list_event_types(
    manage: &Manage,
    _: &May<Read>,
    asked: ListEventTypes,
) -> Result<PageOf<EventTypeView>, Error> {
    let paging = Paging::<String>::read(asked.limit, asked.cursor.as_deref())?;
    let text = text("q", asked.q.as_deref())?.unwrap_or_default();
    let after = paging.behind.as_deref().unwrap_or_default();
    let rows = manage.store.catalogue.event_types(&text, after, paging.limit as u32).await?;
    Ok(paging.page(rows, |last| last.name.clone(), EventTypeView::from))
}

/// Shows an event type.
///
/// # Errors
/// If there is none.
pub async fn show_event_type(
    manage: &Manage,
    _: &May<Read>,
    name: &str,
) -> Result<Versioned<EventTypeView>, Error> {
    let found = match is_event_type(name) {
        true => manage.store.catalogue.event_type(name).await?,
        false => None,
    };
    Ok(versioned(found.ok_or_else(not_found)?))
}

/// Describes an event type, seen or not. What is left out is empty. With a schema, events of this type that are
/// published over HTTP are refused unless their data fits.
///
/// # Errors
/// If the input is wrong, it is based on another version, or the type is one of Posthorn's own.
pub async fn describe_event_type(
    manage: &Manage,
    by: &May<Write>,
    name: &str,
    expected: &Expected,
    input: EventTypeInput,
) -> Result<Versioned<EventTypeView>, Error> {
    may_change(by, name)?;
    // A schema may take long to be compiled.
    let described = manage.checks.run(by.token_id, move || input.check()).await??;
    let actor = by.acts("event_type.describe");
    loop {
        let revision = match expected {
            Expected::Anything => None,
            Expected::AnyVersion | Expected::OneOf(_) => Some(revision_of(manage, expected, name).await?),
        };
        let changed = manage.store.catalogue.describe_event_type(name, &described, revision, &actor).await?;
        match changed {
            Some(changed) => {
                manage.access.describe(name, Some(&changed));
                return Ok(versioned(changed));
            }
            // Another change was quicker.
            None if expected.is_any() => {}
            None => return Err(Error::new(Kind::Changed, "it was changed meanwhile")),
        }
    }
}

/// Forgets an event type with its description and schema.
///
/// # Errors
/// If there is none, or it is one of Posthorn's own.
pub async fn delete_event_type(manage: &Manage, by: &May<Write>, name: &str) -> Result<(), Error> {
    may_change(by, name)?;
    let was_there = manage.store.catalogue.delete_event_type(name, &by.acts("event_type.delete")).await?;
    manage.access.describe(name, None);
    if was_there { Ok(()) } else { Err(not_found()) }
}

fn may_change(by: &Principal, name: &str) -> Result<(), Error> {
    if by.companies.is_some() {
        let detail = "event types are shared by all companies: a token that sees them all changes them";
        return Err(Error::new(Kind::Forbidden, detail));
    }
    match name {
        name if !is_event_type(name) => Err(not_found()),
        name if is_reserved(name) => {
            Err(Error::new(Kind::Conflict, "types that begin with `webhook.` are Posthorn's own"))
        }
        _ => Ok(()),
    }
}

/// The revision that a change is based on.
async fn revision_of(manage: &Manage, expected: &Expected, name: &str) -> Result<i64, Error> {
    let found = manage.store.catalogue.event_type(name).await?;
    let found = found.ok_or_else(|| Error::new(Kind::Changed, "it is not described yet"))?;
    expected.check(found.revision)?;
    Ok(found.revision)
}

fn versioned(found: EventType) -> Versioned<EventTypeView> {
    Versioned { revision: found.revision, view: found.into() }
}

fn not_found() -> Error {
    Error::not_found("event type")
}
