//! Events by chance, of about 500 bytes.

use posthorn_matching::event::{BodyReader, Event, Names};
use rand::{RngExt, rngs::SmallRng};
use serde_json::{Value, json};

use crate::rules::{World, event_type, state};

/// An event whose data is JSON text, as the router has it.
pub(crate) struct Published {
    event_type: String,
    company_id: String,
    project_id: String,
    data: String,
}

impl Event for Published {
    fn names(&self) -> Names<'_> {
        let Self { event_type, company_id, project_id, .. } = self;
        Names { event_type, company_id, project_id }
    }

    fn read_body<'e>(&'e self, reader: &mut BodyReader<'_, 'e>) {
        reader.text("type", || (&self.event_type).into());
        reader.text("company_id", || (&self.company_id).into());
        reader.text("project_id", || (&self.project_id).into());
        reader.json("data", || (&self.data).into());
    }
}

/// An event for the mixed rules.
pub(crate) fn mixed(world: &World, chance: &mut SmallRng, number: usize) -> Published {
    let (project, company) = world.project(chance);
    let data = json!({
        "todo_id": format!("todo_{number}"),
        "title": format!("Task {number}: look through the papers and order what is missing"),
        "state": state(chance),
        "priority": chance.random_range(0..10),
        "owner": {"id": format!("usr_{}", chance.random_range(0..20)), "name": "Ada Example", "locale": "en-GB"},
        "tags": [state(chance), "office", "second quarter"],
        "description": "Somebody has to look through them before the end of the month, and tell the others what is missing.",
        "created_at": "2026-11-23T09:30:00.123Z",
        "estimate": 2.5,
        "is_private": false
    });
    event(&event_type(chance), company, project, &data)
}

/// An event that a few of the rules in one place want.
pub(crate) fn in_one_place(kind: &str, number: usize) -> Published {
    let value = match kind {
        "equals" => json!(format!("value {number:06}")),
        "prefix" => json!(format!("{number:06} is the number")),
        "suffix" => json!(format!("the number is {number:06}")),
        "numeric" => json!(number),
        _ => json!(format!("there is <{number:06}> in it")),
    };
    event("todo.created", "cmp_1".to_owned(), "prj_1".to_owned(), &json!({"value": value, "title": "A task"}))
}

fn event(event_type: &str, company_id: String, project_id: String, data: &Value) -> Published {
    Published { event_type: event_type.to_owned(), company_id, project_id, data: data.to_string() }
}
