//! Suspects: deliveries that came back to their webhook's queue again and again, with all that was in
//! flight beside them. Each is attempted alone, so that it alone comes back if the dispatcher falls.

use std::{sync::Arc, time::Duration};

use posthorn_broker::{BrokerError, ConsumerPool, Queue, Received, Session};
use posthorn_domain::event::{Field, Rejection};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    delivery::{Delivery, Held, Wait},
    pipeline::Pipeline,
    prepared_event::PreparedEvent,
};

/// Sessions that end sooner take no suspects: a broker that goes away again and again would make each of
/// them look guilty.
const CALM: Duration = Duration::from_secs(10);
/// A delivery that came back so often while it was attempted alone is what makes dispatchers fall.
const MOST_RETURNS_ALONE: u32 = 3;

/// Takes suspects one at a time until the session ends or `halt`.
pub(crate) async fn run(
    session: &Arc<Session>,
    pool: &ConsumerPool,
    pipeline: &Arc<Pipeline>,
    halt: &CancellationToken,
) -> Result<(), BrokerError> {
    tokio::select! {
        () = sleep(CALM) => {}
        () = session.ended() => return Ok(()),
        () = halt.cancelled() => return Ok(()),
    }
    let mut source = pool.consume(Queue::SuspectDeliveries, 1).await?;
    let taking = async {
        while let Some(received) = source.next().await {
            take(pipeline, received).await;
        }
    };
    tokio::select! {
        () = taking => session.fail("the consumer of suspects has ended"),
        () = session.ended() => {}
        () = halt.cancelled() => {}
    }
    if session.is_open() {
        source.cancel().await;
    }
    Ok(())
}

/// Starts a suspect's attempt, or puts it back into its webhook's queue if no attempt is likely to begin
/// soon: it must not hold up the others.
async fn take(pipeline: &Arc<Pipeline>, received: Received) {
    let Received { message, receipt } = received;
    let clock = pipeline.dispatcher.clock;
    let Some(id) = message.webhook_id() else {
        let reason = "is not the id of the webhook that a delivery is for".to_owned();
        return pipeline.reject(message, Rejection { field: Field::RoutingKey, reason }, receipt).await;
    };
    let received_at = message.headers.received_at.unwrap_or_else(|| clock.now());
    let prepared = match PreparedEvent::read(&message.body, received_at) {
        Ok(prepared) => Arc::new(prepared),
        Err(rejection) => return pipeline.reject(message, rejection, receipt).await,
    };
    let is_interrupted = message.returns >= MOST_RETURNS_ALONE;
    let delivery = Delivery::new(prepared, message.headers, Held::Suspect(receipt));
    let delivery = Delivery { is_interrupted, ..delivery };
    let recipient = pipeline.recipients.get(id);
    match recipient.and_then(|recipient| Some((recipient.hold(clock.instant())?, recipient))) {
        Some((hold, recipient)) => pipeline.start(recipient, delivery, Wait::Briefly { _hold: hold }),
        None => pipeline.start_queueing(id, delivery),
    }
}
