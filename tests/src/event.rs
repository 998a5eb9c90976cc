//! Events to publish.

use posthorn_proto::v1::{Event, event::Data};
use prost_types::{Struct, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// An event with a fresh id, of project `p1` of company `c1`.
pub fn event(event_type: &str) -> Event {
    Event {
        id: Uuid::now_v7().to_string(),
        r#type: event_type.to_owned(),
        company_id: "c1".to_owned(),
        project_id: "p1".to_owned(),
        occurred_at: Some(Timestamp { seconds: 1_795_426_200, nanos: 123_456_789 }),
        data: Some(Data::Json(r#"{"title":"Write the tests"}"#.into())),
    }
}

/// The same with data as a struct.
pub fn struct_event(event_type: &str, data: Struct) -> Event {
    Event { data: Some(Data::Struct(data)), ..event(event_type) }
}

/// The ids of events, sorted.
pub fn ids<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<String> {
    let mut ids: Vec<_> = events.into_iter().map(|event| event.id.clone()).collect();
    ids.sort();
    ids
}

/// The reference of a company's event, as the documentation tells how it is made.
pub fn reference(company: &str, id: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [company, id] {
        hasher.update(u32::try_from(part.len()).expect("a name is short").to_be_bytes());
        hasher.update(part);
    }
    let digits: String = hasher.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("evt_{digits}")
}
