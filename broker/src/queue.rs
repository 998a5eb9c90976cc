//! What can be consumed.

use std::fmt;

use posthorn_domain::id::WebhookId;

use crate::names::Names;

/// What can be consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Events to be routed.
    Events,
    /// Events that came back again and again, to be routed alone.
    SuspectEvents,
    /// Delivery batches, from routers to dispatchers.
    Batches,
    /// A webhook's deliveries that wait, or come back for a retry.
    Webhook(WebhookId),
    /// Deliveries that came back again and again, to be attempted alone.
    SuspectDeliveries,
    /// Deliveries and returning retries whose webhook has no queue.
    Orphans,
    /// Journal batches to be recorded.
    Journal,
}

impl Queue {
    pub(crate) fn name(self, names: &Names) -> String {
        match self {
            Self::Events => names.router(),
            Self::SuspectEvents => names.suspect_events(),
            Self::Batches => names.batches(),
            Self::Webhook(id) => names.webhook(id),
            Self::SuspectDeliveries => names.suspect_deliveries(),
            Self::Orphans => names.orphans(),
            Self::Journal => names.journal(),
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events => f.write_str("events"),
            Self::SuspectEvents => f.write_str("events that came back again and again"),
            Self::Batches => f.write_str("delivery batches"),
            Self::Webhook(id) => write!(f, "deliveries to {id}"),
            Self::SuspectDeliveries => f.write_str("deliveries that came back again and again"),
            Self::Orphans => f.write_str("deliveries whose webhook has no queue"),
            Self::Journal => f.write_str("the journal"),
        }
    }
}
