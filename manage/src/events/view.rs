//! Events as they are shown.

use jiff::Timestamp;
use posthorn_domain::{
    id::{EventRef, WebhookId},
    moment::Moment,
};
use posthorn_store::{EventRecord, EventRow};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{conflicts::Conflict, recorded::decode};
use crate::{deliveries::view::State, error::Error};

/// An event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventSummary {
    /// What names it among the events of all companies: the `webhook-id` that receivers see.
    #[schema(value_type = String)]
    pub r#ref: EventRef,
    /// Its producer's id, unique within its company.
    pub id: String,
    /// What happened.
    pub r#type: String,
    /// Whose event it is.
    pub company_id: String,
    /// The project within the company; null for an event of the company itself.
    pub project_id: Option<String>,
    /// When it happened, if its producer said so.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub occurred_at: Option<Moment>,
    /// When a router took it.
    pub received_at: Timestamp,
    /// How many webhooks wanted it.
    pub webhooks: usize,
}

/// An event with its data and its deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventDetail {
    /// The event.
    #[serde(flatten)]
    pub event: EventSummary,
    /// What the webhooks are told about it.
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
    /// What tells this content from what else came with the id.
    pub digest: String,
    /// What else came with the id, the first first; at most 20.
    pub conflicts: Vec<Conflict>,
    /// What became of it, for each webhook that wanted it; at most 1,000.
    pub deliveries: Vec<DeliverySummary>,
}

/// What became of an event for one webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliverySummary {
    /// The webhook.
    #[schema(value_type = String)]
    pub webhook_id: WebhookId,
    /// How far the delivery is.
    pub state: State,
    /// How often it was attempted in this epoch.
    pub attempts: i32,
    /// The HTTP status of the latest attempt.
    pub status: Option<u16>,
    /// When the latest attempt began.
    pub last_attempt_at: Option<Timestamp>,
    /// When the next one is due.
    pub next_attempt_at: Option<Timestamp>,
}

/// An event as lists show it.
pub(super) fn summary(found: &EventRecord) -> Result<EventSummary, Error> {
    let event = decode(found)?;
    Ok(EventSummary {
        r#ref: found.event_ref,
        id: event.id.0,
        r#type: event.event_type,
        company_id: event.company_id,
        project_id: Some(event.project_id).filter(|id| !id.is_empty()),
        occurred_at: event.occurred_at,
        received_at: found.received_at,
        webhooks: found.webhook_ids.len(),
    })
}

impl From<EventRow> for EventSummary {
    fn from(row: EventRow) -> Self {
        Self {
            r#ref: row.event_ref,
            id: row.id.0,
            r#type: row.event_type,
            company_id: row.company_id,
            project_id: Some(row.project_id).filter(|id| !id.is_empty()),
            occurred_at: row.occurred_at.map(Moment::from),
            received_at: row.received_at,
            webhooks: row.webhooks,
        }
    }
}
