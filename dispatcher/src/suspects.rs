//! Suspects: deliveries that came back to their webhook's queue again and again, with all that was in
//! flight beside them. Each is attempted alone, so that it alone comes back if the dispatcher falls.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use posthorn_broker::{BrokerError, ConsumerPool, Queue, Received, Session};
use posthorn_domain::event::{Field, Rejection};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    delivery::{Delivery, Held, Pipeline, Waits},
    prepared_event::PreparedEvent,
};

/// Sessions that end sooner take no suspects: a broker that goes away again and again would make each of
/// them look guilty.
const CALM: Duration = Duration::from_secs(10);

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
            pipeline.take_suspect(received).await;
        }
    };
    tokio::select! {
        () = taking => {}
        () = session.ended() => {}
        () = halt.cancelled() => {}
    }
    if session.is_open() {
        source.cancel().await;
    }
    Ok(())
}

impl Pipeline {
    /// Starts a suspect's attempt, or puts it back into its webhook's queue if no attempt is likely to begin
    /// soon: it must not hold up the others.
    async fn take_suspect(self: &Arc<Self>, received: Received) {
        let Received { message, receipt } = received;
        let Some(id) = message.webhook_id() else {
            let reason = "is not the id of the webhook that a delivery is for".to_owned();
            return self.reject(message, Rejection { field: Field::RoutingKey, reason }, receipt).await;
        };
        let received_at = message.headers.received_at.unwrap_or_else(Timestamp::now);
        let prepared = match PreparedEvent::read(message.body.clone(), received_at) {
            Ok(prepared) => Arc::new(prepared),
            Err(rejection) => return self.reject(message, rejection, receipt).await,
        };
        let held = Held::Suspect { receipt, returns: message.returns };
        let delivery = Delivery { prepared, headers: message.headers, held };
        let recipient = self.recipients.get(id);
        match recipient.and_then(|recipient| Some((recipient.hold(Instant::now())?, recipient))) {
            Some((hold, recipient)) => self.start(recipient, delivery, Waits::Briefly { _hold: hold }),
            None => self.start_queueing(id, delivery),
        }
    }
}
