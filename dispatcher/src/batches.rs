//! Taking delivery batches. Each delivery is attempted soon, or goes to its webhook's queue, so that a batch
//! is done soon and one webhook's deliveries hold up no other's.

use std::sync::Arc;

use posthorn_broker::{BrokerError, ConsumerPool, DeliveryHeaders, Message, Received};
use posthorn_domain::{
    delivery_batch::{self, BatchedEvent, MOST_DELIVERIES},
    error_chain::error_chain,
    event::{Field, Rejection},
    id::WebhookId,
};
use tokio_util::sync::CancellationToken;

use crate::{
    delivery::{Delivery, Held, Wait},
    held::{BatchHold, BatchRoom, HeldBatches, Limits},
    intake::{Intake, Next},
    pending_batch::{BatchedDelivery, PendingBatch},
    pipeline::Pipeline,
    prepared_event::PreparedEvent,
    recipient::{HoldPermit, Recipient},
};

/// A batch that came back so often may hold what makes dispatchers fall: its deliveries go to their
/// webhooks' queues, where each is found out by itself.
const MOST_RETURNS: u32 = 3;

/// What becomes of a batched delivery.
enum Way {
    /// An attempt.
    Attempt(Arc<Recipient>, Wait),
    /// Its webhook's queue.
    Queue,
}

/// Takes batches until the session ends or `halt`, with at most so much in hand besides deliveries whose
/// attempts take long.
pub(crate) async fn run(
    pool: &ConsumerPool,
    pipeline: &Arc<Pipeline>,
    limits: Limits,
    halt: &CancellationToken,
) -> Result<(), BrokerError> {
    let session = &pipeline.session;
    let held = HeldBatches::new(limits);
    let mut intake = Intake::open(pool, held.clone()).await?;
    while let Some(next) = halt.run_until_cancelled(intake.next()).await {
        match next {
            Next::Batch(received) => take(pipeline, &mut intake, &held, received, halt).await?,
            Next::Look => intake.look().await?,
            Next::Dead => {
                session.fail("the consumer of delivery batches has ended");
                return Ok(());
            }
        }
    }
    if session.is_open() {
        intake.close().await;
    }
    Ok(())
}

/// Starts a batch's deliveries once there is room for them.
async fn take(
    pipeline: &Arc<Pipeline>,
    intake: &mut Intake<'_>,
    held: &HeldBatches,
    received: Received,
    halt: &CancellationToken,
) -> Result<(), BrokerError> {
    let Received { message, receipt } = received;
    let (events, deliveries) = match read(&message) {
        Ok(read) => read,
        // Somebody else has published to our exchange.
        Err(rejection) => {
            pipeline.reject(message, rejection, receipt).await;
            return Ok(());
        }
    };
    // A router has proved its way.
    if deliveries == 0 {
        receipt.finish();
        return Ok(());
    }
    let bytes = message.body.len();
    intake.taken(deliveries, bytes).await?;
    let Some(room) = halt.run_until_cancelled(held.take(deliveries, bytes)).await else {
        receipt.give_back().await;
        return Ok(());
    };
    let BatchRoom { deliveries: mut permits, in_hand } = room;
    let batch = PendingBatch::new(BatchHold::new(receipt, in_hand), deliveries);
    for event in events {
        let permits = event.webhook_ids.iter().map(|_| permits.split(1).expect("there is one for each"));
        let parts = permits.map(|permit| BatchedDelivery::new(&batch, permit)).collect();
        start_event(pipeline, &message, event, parts).await;
    }
    Ok(())
}

/// Starts the deliveries of one event.
async fn start_event(
    pipeline: &Arc<Pipeline>,
    message: &Message,
    event: BatchedEvent,
    parts: Vec<BatchedDelivery<BatchHold>>,
) {
    let prepared = match PreparedEvent::read(&event.message, event.received_at) {
        Ok(prepared) => Arc::new(prepared),
        // If the journal is gone, the session has ended, and the batch comes back.
        Err(rejection) => {
            let part = Message { body: event.message, ..message.clone() };
            if pipeline.reject_part(part, rejection).await.is_ok() {
                let settled: Vec<_> =
                    parts.into_iter().flat_map(|part| Held::Batched(part).done(None)).collect();
                pipeline.dispatcher.in_flight.settled(&settled);
            }
            return;
        }
    };
    let headers = DeliveryHeaders {
        published_at: event.published_at,
        received_at: Some(event.received_at),
        trace: event.trace,
        // A canary brings its own.
        ..message.headers.clone()
    };
    for (id, part) in event.webhook_ids.into_iter().zip(parts) {
        let delivery = Delivery::new(prepared.clone(), headers.clone(), Held::Batched(part));
        match way(pipeline, id, &delivery, message.returns) {
            Way::Attempt(recipient, wait) => pipeline.start(recipient, delivery, wait),
            Way::Queue => pipeline.start_queueing(id, delivery),
        }
    }
}

/// Which way a delivery goes whose batch came back `returns` times.
fn way(pipeline: &Pipeline, id: WebhookId, delivery: &Delivery, returns: u32) -> Way {
    let Some(recipient) = pipeline.recipients.get(id).filter(|_| returns < MOST_RETURNS) else {
        return Way::Queue;
    };
    if delivery.headers.is_canary && !recipient.breaker.is_closed() {
        delivery.takes_long();
        return Way::Attempt(recipient, Wait::AsCanary);
    }
    if let Some(hold) = hold(pipeline, &recipient) {
        return Way::Attempt(recipient, Wait::Briefly { _hold: hold });
    }
    // The attempt was made, or runs: it only has to be made safe.
    match returns > 0 && pipeline.dispatcher.is_known(&recipient, delivery) {
        true => Way::Attempt(recipient, Wait::Patiently),
        false => Way::Queue,
    }
}

/// A hold permit, unless the delivery would have to wait for the end of an outage.
fn hold(pipeline: &Pipeline, recipient: &Arc<Recipient>) -> Option<HoldPermit> {
    let dispatcher = &pipeline.dispatcher;
    let is_held_up = || dispatcher.admission.outage.holds(&recipient.target().host);
    recipient.hold(dispatcher.clock.instant()).filter(|_| !is_held_up())
}

/// A batch's events, and its number of deliveries.
fn read(message: &Message) -> Result<(Vec<BatchedEvent>, usize), Rejection> {
    let no_batch = |reason| Rejection { field: Field::Message, reason };
    let events = delivery_batch::decode(message.body.clone());
    let events = events.map_err(|error| no_batch(error_chain(&error)))?;
    let deliveries = events.iter().map(|event| event.webhook_ids.len()).sum();
    match deliveries {
        0..=MOST_DELIVERIES => Ok((events, deliveries)),
        // Routers make none that are larger.
        _ => Err(no_batch(format!("is a batch of {deliveries} deliveries, not at most {MOST_DELIVERIES}"))),
    }
}
