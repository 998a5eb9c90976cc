//! Events by chance, of about 500 bytes.

use posthorn_domain::event::Event;
use posthorn_proto::v1::{self, event::Data};
use prost::Message;
use rand::{RngExt, rngs::SmallRng};
use serde_json::{Value, json};

use crate::rules::{World, event_type, state};

/// An event for the mixed rules.
pub(crate) fn mixed(world: &World, chance: &mut SmallRng, number: usize) -> Event {
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
pub(crate) fn in_one_place(kind: &str, number: usize) -> Event {
    let value = match kind {
        "equals" => json!(format!("value {number:06}")),
        "prefix" => json!(format!("{number:06} is the number")),
        "suffix" => json!(format!("the number is {number:06}")),
        "numeric" => json!(number),
        _ => json!(format!("there is <{number:06}> in it")),
    };
    event("todo.created", "cmp_1".to_owned(), "prj_1".to_owned(), &json!({"value": value, "title": "A task"}))
}

fn event(event_type: &str, company: String, project: String, data: &Value) -> Event {
    let wire = v1::Event {
        id: "evt_1".to_owned(),
        r#type: event_type.to_owned(),
        company_id: company,
        project_id: project,
        occurred_at: None,
        data: Some(Data::Json(data.to_string().into())),
    };
    Event::decode(&wire.encode_to_vec().into(), 1 << 20).expect("a good event")
}
