//! Taking delivery batches. Each delivery is attempted soon, or goes to its webhook's queue, so that a batch
//! is done soon and one webhook's deliveries hold up no other's.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use posthorn_broker::{
    BrokerError, ConsumerPool, DeliveryHeaders, Message, Queue, Receipt, Received, Session,
};
use posthorn_domain::{
    delivery_batch::{self, BatchedEvent, MOST_DELIVERIES},
    error_chain::error_chain,
    event::{Field, Rejection},
    id::WebhookId,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    delivery::{Delivery, Held, Pipeline, Waits},
    in_flight::Key,
    prepared_event::PreparedEvent,
    recipient::{HoldPermit, Recipient},
};

/// A batch that came back so often may hold what makes dispatchers fall: its deliveries go to their
/// webhooks' queues, where each is found out by itself.
const MOST_RETURNS: u32 = 3;

/// Takes batches until the session ends or `halt`, with at most `held` deliveries in hand besides those
/// whose attempts take long.
pub(crate) async fn run(
    session: &Arc<Session>,
    pool: &ConsumerPool,
    pipeline: &Arc<Pipeline>,
    held: u16,
    halt: &CancellationToken,
) -> Result<(), BrokerError> {
    let mut source = pool.consume(Queue::Batches, held).await?;
    let holds = Arc::new(Semaphore::new(usize::from(held).max(MOST_DELIVERIES)));
    let taking = async {
        while let Some(received) = source.next().await {
            pipeline.take_batch(received, &holds).await;
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

/// One of a batch's deliveries.
pub(crate) struct Part {
    batch: Arc<PendingBatch>,
    /// Counts the delivery as held until it is done, or its attempt takes long.
    hold: Mutex<Option<OwnedSemaphorePermit>>,
}

/// What is left of a batch. Its message is acknowledged once every delivery is done; until then what
/// became of each is remembered, since the whole batch would come back.
struct PendingBatch(Mutex<Left>);

struct Left {
    deliveries: usize,
    receipt: Option<Receipt>,
    settled: Vec<Key>,
}

impl PendingBatch {
    fn new(receipt: Receipt, deliveries: usize) -> Self {
        Self(Mutex::new(Left { deliveries, receipt: Some(receipt), settled: Vec::new() }))
    }

    fn done(&self, attempt: Option<Key>) -> Vec<Key> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.settled.extend(attempt);
        left.deliveries -= 1;
        if left.deliveries > 0 {
            return Vec::new();
        }
        if let Some(receipt) = left.receipt.take() {
            receipt.finish();
        }
        std::mem::take(&mut left.settled)
    }
}

impl Part {
    fn new(batch: &Arc<PendingBatch>, hold: OwnedSemaphorePermit) -> Self {
        Self { batch: batch.clone(), hold: Mutex::new(Some(hold)) }
    }

    /// The attempt runs and takes long: it counts among those that run, no longer among those held, so
    /// that receivers that hang hold up nobody else's batches.
    pub(crate) fn takes_long(&self) {
        *self.hold.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The delivery is done, after this attempt if there was one. With the last, the batch is: tells
    /// which attempts need not be remembered any longer.
    pub(crate) fn done(&self, attempt: Option<Key>) -> Vec<Key> {
        self.batch.done(attempt)
    }
}

impl Pipeline {
    async fn take_batch(self: &Arc<Self>, received: Received, holds: &Arc<Semaphore>) {
        let Received { message, receipt } = received;
        let read = match read(&message) {
            Ok(read) => read,
            // Somebody else has published to our exchange.
            Err(rejection) => return self.reject(message, rejection, receipt).await,
        };
        let deliveries = read.iter().map(|(_, event)| event.webhook_ids.len()).sum();
        // A router has proved its way.
        if deliveries == 0 {
            return receipt.finish();
        }
        let Some(mut holds) = permits_for(deliveries, holds).await else {
            let rejection =
                Rejection { field: Field::Message, reason: format!("is a batch of {deliveries} deliveries") };
            return self.reject(message, rejection, receipt).await;
        };
        let batch = Arc::new(PendingBatch::new(receipt, deliveries));
        let now = Instant::now();
        for (prepared, event) in read {
            let headers = DeliveryHeaders {
                published_at: event.published_at,
                received_at: Some(event.received_at),
                trace: event.trace,
                // A canary brings its own.
                ..message.headers.clone()
            };
            for id in event.webhook_ids {
                let hold = holds.split(1).expect("there is one for each delivery");
                let (prepared, headers, held) =
                    (prepared.clone(), headers.clone(), Held::Part(Part::new(&batch, hold)));
                self.start_part(id, Delivery { prepared, headers, held }, message.returns, now);
            }
        }
    }

    /// Starts a delivery of a batch, which came back `returns` times.
    fn start_part(self: &Arc<Self>, id: WebhookId, delivery: Delivery, returns: u32, now: Instant) {
        let recipient = self.recipients.get(id).filter(|_| returns < MOST_RETURNS);
        if let Some(recipient) =
            recipient.as_ref().filter(|one| delivery.headers.is_canary && !one.breaker.is_closed())
        {
            if let Held::Part(part) = &delivery.held {
                part.takes_long();
            }
            return self.start(recipient.clone(), delivery, Waits::AsCanary);
        }
        match recipient.map(|recipient| (self.hold(&recipient, now), recipient)) {
            Some((Some(hold), recipient)) => self.start(recipient, delivery, Waits::Briefly { _hold: hold }),
            // The attempt was made, or runs: it only has to be made safe.
            Some((None, recipient)) if returns > 0 && self.is_known(&recipient, &delivery) => {
                self.start(recipient, delivery, Waits::Patiently);
            }
            _ => self.start_queueing(id, delivery),
        }
    }

    /// A hold permit, unless the delivery would have to wait for the end of an outage.
    fn hold(&self, recipient: &Arc<Recipient>, now: Instant) -> Option<HoldPermit> {
        recipient.hold(now).filter(|_| !self.is_held(recipient))
    }
}

/// Waits for room; `None` if routers make no batches of so many deliveries.
async fn permits_for(deliveries: usize, holds: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    let wanted = u32::try_from(deliveries).ok().filter(|_| (1..=MOST_DELIVERIES).contains(&deliveries))?;
    Some(holds.clone().acquire_many_owned(wanted).await.expect("the semaphore is never closed"))
}

fn read(message: &Message) -> Result<Vec<(Arc<PreparedEvent>, BatchedEvent)>, Rejection> {
    let no_batch = |reason| Rejection { field: Field::Message, reason };
    let events =
        delivery_batch::decode(message.body.clone()).map_err(|error| no_batch(error_chain(&error)))?;
    let prepared = |event: BatchedEvent| {
        PreparedEvent::read(event.message.clone(), event.received_at)
            .map(|prepared| (Arc::new(prepared), event))
    };
    events.into_iter().map(prepared).collect()
}
