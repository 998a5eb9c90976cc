//! Decides what becomes of a message: which webhooks want its event, or why it is none.

use std::sync::Arc;

use jiff::Timestamp;
use posthorn_broker::Message;
use posthorn_domain::{
    event::{Event, Field, Rejection},
    id::WebhookId,
};
use posthorn_matching::event_type::{RESERVED, is_reserved};

use crate::directory::Directory;

/// What an event may be and cost; one that is or costs more is rejected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) bytes: usize,
    /// Steps that matching it takes.
    pub(crate) steps: u64,
}

/// Matches events with the webhooks that are known.
#[derive(Clone)]
pub(crate) struct Matcher {
    pub(crate) directory: Arc<Directory>,
    pub(crate) most: Most,
}

/// An event, and all webhooks that want it.
#[derive(Debug)]
pub(crate) struct Matched {
    pub(crate) event: Event,
    pub(crate) webhook_ids: Vec<WebhookId>,
}

impl Matcher {
    /// Matches a message that was `received_at`.
    ///
    /// # Errors
    /// If it is no event, or one that is not let through. An event that costs too much is matched with no
    /// webhook at all, not with some.
    pub(crate) fn judge(&self, message: &Message, received_at: Timestamp) -> Result<Matched, Rejection> {
        let event = Event::decode(&message.body, self.most.bytes)?;
        if is_reserved(&event.event_type) && !message.is_own() {
            let reason =
                format!("{:?} begins with {RESERVED:?}: such events are Posthorn's own", event.event_type);
            return Err(Rejection { field: Field::Type, reason });
        }
        let found = self.directory.wanting(&event, received_at, self.most.steps);
        let webhook_ids =
            found.map_err(|costly| Rejection { field: Field::Data, reason: costly.to_string() })?;
        Ok(Matched { event, webhook_ids })
    }
}
