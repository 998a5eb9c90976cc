//! Orphans: deliveries and returning retries whose webhook has no queue.
//!
//! Either the queue is not there yet, or no longer: then it is declared and the delivery published
//! again. Or the webhook is gone: then the delivery is journalled and dropped.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use posthorn_broker::{
    BrokerError, DeliveryMessage, Journal, Message, Outgoing, Publisher, Queue, Received, Session,
};
use posthorn_domain::{
    error_chain::error_chain,
    event::{Event, Field, Rejection},
    id::WebhookId,
    journal::{Dropped, Entry},
};
use posthorn_timing::{Clock, caught, failpoint};
use tokio::time::{sleep, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{directory::Directory, metrics};

const PREFETCH: u16 = 100;
const BEFORE_NEXT_TRY: Duration = Duration::from_secs(2);
/// So long a delivery may wait for news of its webhook before others get its place.
const COMPARE_TIMEOUT: Duration = Duration::from_secs(30);

/// Looks after orphans until the session ends or `halt`.
pub(crate) async fn run(
    session: &Arc<Session>,
    directory: &Arc<Directory>,
    clock: Clock,
    halt: &CancellationToken,
) -> Result<(), BrokerError> {
    let publisher = session.publisher().await?;
    let journal = session.journal().await?;
    let pool = session.consumer_pool(1);
    let mut source = pool.consume(Queue::Orphans, PREFETCH).await?;
    let carers = TaskTracker::new();
    let taking = async {
        while let Some(Received { message, receipt }) = source.next().await {
            let tools = (publisher.clone(), journal.clone(), clock);
            let care = care(session.clone(), directory.clone(), tools, message);
            let halt = halt.clone();
            // What panics comes back after a while, and holds up no other.
            let care = async { caught(care).await.unwrap_or_else(|panicked| Err(panicked.to_string())) };
            let caring = async move {
                match halt.run_until_cancelled(care).await {
                    Some(Ok(())) => receipt.finish(),
                    Some(Err(reason)) => {
                        tracing::warn!("an orphaned delivery must wait: {reason}");
                        halt.run_until_cancelled(sleep(BEFORE_NEXT_TRY)).await;
                        receipt.give_back().await;
                    }
                    None => receipt.give_back().await,
                }
            };
            carers.spawn(session.supervise("looking after an orphan", caring));
        }
    };
    tokio::select! {
        () = taking => session.fail("the consumer of orphans has ended"),
        () = session.ended() => {}
        () = halt.cancelled() => {}
    }
    if session.is_open() {
        source.cancel().await;
    }
    carers.close();
    carers.wait().await;
    pool.flush().await
}

async fn care(
    session: Arc<Session>,
    directory: Arc<Directory>,
    (publisher, journal, clock): (Publisher, Journal, Clock),
    message: Message,
) -> Result<(), String> {
    failpoint("router.orphan");
    let chain = |error: BrokerError| error_chain(&error);
    let Some(id) = message.webhook_id() else {
        return journal.write(unaddressed(message)).await.map_err(chain);
    };
    let event = match Event::decode(&message.body, usize::MAX) {
        Ok(event) => event,
        // Somebody else has published to our exchange: the router lets only events through.
        Err(rejection) => return journal.write(message.rejected(rejection)).await.map_err(chain),
    };
    if exists(&directory, id).await? {
        session.restore_webhook(id).await.map_err(chain)?;
        let (event, Message { body, headers, .. }) = (event.event_ref(), message);
        let delivery = DeliveryMessage { webhook_id: id, event, message: body, headers };
        publisher.send(Outgoing::Delivery(delivery)).await.map_err(chain)?;
        metrics::orphan_adopted();
    } else {
        let event_ref = event.event_ref();
        journal.write(dropped(id, event, clock.now())).await.map_err(chain)?;
        metrics::orphan_dropped();
        tracing::info!(webhook.id = %id, event = %event_ref, "dropped a delivery: its webhook is gone");
    }
    Ok(())
}

/// Whether the webhook exists. One that we don't know may be newer than what we know: it is gone
/// only if two comparisons with the database don't find it, of which the second began after now.
async fn exists(directory: &Directory, id: WebhookId) -> Result<bool, String> {
    if !directory.knows(id) {
        let compared = directory.wait_for_compared(directory.compared() + 2);
        timeout(COMPARE_TIMEOUT, compared)
            .await
            .map_err(|_| "the database does not tell of its webhook".to_owned())?;
    }
    Ok(directory.knows(id))
}

fn dropped(webhook_id: WebhookId, event: Event, dropped_at: Timestamp) -> Entry {
    let reason = "the webhook was deleted".to_owned();
    let Event { id: event_id, company_id, .. } = event;
    Entry::Dropped(Dropped { event_id, company_id, webhook_id, dropped_at, reason })
}

/// Somebody else has published to our exchange.
fn unaddressed(message: Message) -> Entry {
    let reason = "is not the id of the webhook that a delivery is for".to_owned();
    message.rejected(Rejection { field: Field::RoutingKey, reason })
}
