//! Where events go into a system, and what they are there.

use lapin::BasicProperties;
use posthorn_proto::{CONTENT_TYPE, EVENT_TYPE};
use posthorn_publisher::confirm::Publication;

use crate::{event, setup::Kind, tally::Tally};

/// Where events go in.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
}

impl Entrance {
    /// An event as a message for this system.
    pub(crate) fn publication(&self, tally: &Tally, number: u64, due: u64) -> Publication {
        let id = event::id(tally.run, number);
        let data = event::data(due, tally.setup.payload);
        let body = match tally.setup.kind {
            Kind::Ceiling => data.into(),
            Kind::Posthorn => {
                let group = tally.setup.group_of_event(number);
                event::message(&id, tally.setup.company(group), &project(group), data)
            }
        };
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type(CONTENT_TYPE.into())
            .with_type(EVENT_TYPE.into())
            .with_message_id(id.into());
        Publication {
            exchange: self.exchange.clone().into(),
            routing_key: self.routing_key.clone().into(),
            properties,
            body,
            mandatory: true,
        }
    }
}

/// The project of a group.
pub(crate) fn project(group: usize) -> String {
    format!("project-{group}")
}
