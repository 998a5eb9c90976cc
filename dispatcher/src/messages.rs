//! Deliveries that come in messages of their own, from their webhooks' queues.

use std::sync::Arc;

use posthorn_broker::Received;

use crate::{
    delivery::{Delivery, Held, Wait},
    pipeline::Pipeline,
    prepared_event::PreparedEvent,
    recipient::Recipient,
};

/// A delivery that came back so often, with all that was in flight beside it, is attempted alone.
const MOST_RETURNS: u32 = 20;

/// Starts the next attempt of a message from a webhook's queue. Nothing of it is read before: what breaks
/// there breaks one delivery.
pub(crate) fn start(pipeline: &Arc<Pipeline>, recipient: &Arc<Recipient>, received: Received) {
    pipeline.spawn(deliver(pipeline.clone(), recipient.clone(), received));
}

async fn deliver(pipeline: Arc<Pipeline>, recipient: Arc<Recipient>, received: Received) {
    let Received { message, receipt } = received;
    // Its id is enough to move it: to read it may be what makes dispatchers fall.
    if let (true, Ok(event)) = (message.returns >= MOST_RETURNS, message.message_id.parse()) {
        if pipeline.outbox.suspect(recipient.id(), event, message).await.is_ok() {
            receipt.finish();
        }
        return;
    }
    let received_at = message.headers.received_at.unwrap_or_else(|| pipeline.dispatcher.clock.now());
    match PreparedEvent::read(&message.body, received_at) {
        Ok(prepared) => {
            let delivery = Delivery::new(Arc::new(prepared), message.headers, Held::Message(receipt));
            pipeline.run(recipient, delivery, Wait::Patiently).await;
        }
        // Somebody else has published to our exchange: the router lets only events through.
        Err(rejection) => pipeline.reject(message, rejection, receipt).await,
    }
}
