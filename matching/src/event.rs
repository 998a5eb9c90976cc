//! What rules need to know of an event: its names, and the JSON body that patterns look at.

use std::borrow::Cow;

use serde::Deserialize;

pub use crate::pattern::extract::BodyReader;
use crate::pattern::{part::Part, paths::Paths};

/// An event that rules can be asked about.
pub trait Event {
    /// The names that the lists of rules are compared with.
    fn names(&self) -> Names<'_>;

    /// Hands the fields of the event's JSON body to `reader`, which takes those that patterns use. Called
    /// only if a pattern has to be compared with the event.
    fn read_body<'e>(&'e self, reader: &mut BodyReader<'_, 'e>);
}

/// The names of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'e> {
    /// Such as `todo.created`.
    pub event_type: &'e str,
    /// Whose event it is; may be empty.
    pub company_id: &'e str,
    /// Empty for an event of the company itself.
    pub project_id: &'e str,
}

/// An event given as a JSON object with `type`, `company_id` and `project_id`, each a string or absent.
#[derive(Debug, Clone)]
pub struct JsonEvent<'b> {
    names: OwnedNames,
    body: Cow<'b, str>,
}

#[derive(Debug, Clone, Deserialize)]
struct OwnedNames {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    company_id: String,
    #[serde(default)]
    project_id: String,
}

impl<'b> JsonEvent<'b> {
    /// Reads the names and checks that the body is JSON.
    ///
    /// # Errors
    /// If the body is not a JSON object, or one of the names is not a string.
    pub fn read(body: impl Into<Cow<'b, str>>) -> Result<Self, serde_json::Error> {
        let body = body.into();
        Ok(Self { names: serde_json::from_str(&body)?, body })
    }
}

impl Event for JsonEvent<'_> {
    fn names(&self) -> Names<'_> {
        let OwnedNames { r#type, company_id, project_id } = &self.names;
        Names { event_type: r#type, company_id, project_id }
    }

    fn read_body<'e>(&'e self, reader: &mut BodyReader<'_, 'e>) {
        reader.object(&self.body);
    }
}

/// The fields of an event's body that patterns use.
pub(crate) fn body<'e>(event: &'e dyn Event, paths: &Paths) -> Part<'e> {
    let mut reader = BodyReader::new(paths);
    event.read_body(&mut reader);
    reader.body()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// An event with these names and no data.
    pub(crate) fn event(event_type: &str, company: &str, project: &str) -> JsonEvent<'static> {
        event_with(event_type, company, project, &json!({}))
    }

    /// An event with these names and data.
    pub(crate) fn event_with(
        event_type: &str,
        company: &str,
        project: &str,
        data: &Value,
    ) -> JsonEvent<'static> {
        let body = json!({"type": event_type, "company_id": company, "project_id": project, "data": data});
        JsonEvent::read(body.to_string()).unwrap()
    }

    #[test]
    fn an_event_is_an_object_whose_names_are_strings_or_absent() {
        let names = |body: &'static str| JsonEvent::read(body);
        let event = names(r#"{"type": "todo.created", "company_id": "c\u0031", "data": 5}"#).unwrap();
        let expected = Names { event_type: "todo.created", company_id: "c1", project_id: "" };
        assert_eq!(event.names(), expected);
        for bad in ["[", "[]x", "5", r#"{"type": 5}"#] {
            assert!(names(bad).is_err(), "{bad}");
        }
    }
}
