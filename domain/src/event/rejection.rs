//! Why a message is not an event.

use crate::words::words;

words! {
    /// The field at fault in a rejected message.
    Field, "a field of a message":
    /// The whole message.
    Message = "message",
    /// The event's id.
    Id = "id",
    /// Its type.
    Type = "type",
    /// Its company.
    CompanyId = "company_id",
    /// Its project.
    ProjectId = "project_id",
    /// When it happened.
    OccurredAt = "occurred_at",
    /// Its data, which is missing, or costs too much to match.
    Data = "data",
    /// Its data, written as JSON.
    Json = "json",
    /// Its data, written as a `google.protobuf.Struct`.
    Struct = "struct",
    /// The AMQP routing key of a delivery.
    RoutingKey = "routing_key",
    /// A batch of the journal.
    Journal = "journal",
}

/// Why a message is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Rejection {
    /// The field at fault.
    pub field: Field,
    /// What is wrong and what would be right.
    pub reason: String,
}

pub(super) fn refuse<T>(field: Field, reason: impl Into<String>) -> Result<T, Rejection> {
    Err(Rejection { field, reason: reason.into() })
}
