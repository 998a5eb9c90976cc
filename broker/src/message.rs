//! Messages as Posthorn sees them: what comes from a queue, and what goes out.

mod fields;
mod headers;
#[cfg(test)]
mod hostile;
mod outgoing;

use bytes::Bytes;
use jiff::Timestamp;
use lapin::{message::Delivery, types::ShortString};
use posthorn_domain::{
    event::Rejection,
    id::WebhookId,
    journal::{Entry, Rejected},
};
use uuid::Uuid;

pub use headers::DeliveryHeaders;
pub use outgoing::{DeliveryMessage, Outgoing};

pub(crate) use outgoing::BATCHES_KEY;

use fields::number;
use outgoing::OWN_APP_ID;

const DELIVERY_COUNT: &str = "x-delivery-count";

/// Bytes of a rejected message that are kept at most.
const MOST_KEPT: usize = 1 << 20;

/// A message from a queue.
#[derive(Debug, Clone)]
pub struct Message {
    /// The payload.
    pub body: Bytes,
    /// The routing key it was published with.
    pub routing_key: String,
    /// Its AMQP message id; empty if it has none.
    pub message_id: String,
    /// Posthorn's own headers.
    pub headers: DeliveryHeaders,
    /// The program that published it says so; empty if it doesn't.
    pub app_id: String,
    /// How often it came back to the queue unacknowledged, where the queue counts that. What its publisher
    /// says of it means nothing.
    pub returns: u32,
}

impl Message {
    pub(crate) fn read(delivery: Delivery) -> Self {
        let headers = delivery.properties.headers().as_ref();
        let text =
            |property: &Option<ShortString>| property.as_ref().map(ToString::to_string).unwrap_or_default();
        Self {
            headers: headers.map(DeliveryHeaders::read).unwrap_or_default(),
            returns: headers
                .filter(|_| delivery.redelivered)
                .and_then(|table| number(table, DELIVERY_COUNT))
                .unwrap_or_default(),
            message_id: text(delivery.properties.message_id()),
            app_id: text(delivery.properties.app_id()),
            routing_key: delivery.routing_key.to_string(),
            body: delivery.data.into(),
        }
    }

    /// Its journal entry if it turns out to be no event, with its bytes, as far as a message takes them.
    pub fn rejected(self, rejection: Rejection) -> Entry {
        Entry::Rejected(Rejected {
            id: Uuid::now_v7(),
            rejected_at: Timestamp::now(),
            field: rejection.field,
            reason: rejection.reason,
            routing_key: self.routing_key,
            message_id: self.message_id,
            size: self.body.len() as u64,
            message: self.body.slice(..self.body.len().min(MOST_KEPT)),
        })
    }

    /// Whether Posthorn itself has published it.
    pub fn is_own(&self) -> bool {
        self.app_id == OWN_APP_ID
    }

    /// The webhook that a delivery is for, if the routing key is one's id.
    pub fn webhook_id(&self) -> Option<WebhookId> {
        self.routing_key.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use lapin::{
        BasicProperties,
        types::{AMQPValue, FieldTable},
    };

    use super::*;

    #[test]
    fn returns_are_believed_of_redelivered_messages_only() {
        let returns = |redelivered, count: AMQPValue| {
            let mut table = FieldTable::default();
            table.insert(DELIVERY_COUNT.into(), count);
            let mut delivery = Delivery::mock(1, "x".into(), "k".into(), redelivered, Vec::new());
            delivery.properties = BasicProperties::default().with_headers(table);
            Message::read(delivery).returns
        };
        assert_eq!(returns(true, AMQPValue::LongLongInt(3)), 3);
        assert_eq!(returns(false, AMQPValue::LongLongInt(25)), 0);
        assert_eq!(returns(false, AMQPValue::LongLongInt(4_000_000_000)), 0);
        assert_eq!(returns(true, AMQPValue::LongInt(-5)), 0);
        assert_eq!(returns(true, AMQPValue::LongString("many".into())), 0);
    }
}
