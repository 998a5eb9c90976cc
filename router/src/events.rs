//! Events: matched, published to each webhook that wants them, journalled, acknowledged.

use std::sync::Arc;

use jiff::Timestamp;
use posthorn_broker::{BrokerError, Confirm, DeliveryHeaders, Journal, Message, Publisher, Receipt, Session};
use posthorn_domain::{
    event::{Event, Rejection},
    journal::{Entry, Routed},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Settings, directory::Directory, metrics};

/// A message that came back so often is what makes routers fall.
const MOST_RETURNS: u32 = 20;
/// A message whose deliveries are on their way.
struct Sent {
    confirms: Vec<Confirm>,
    entry: Entry,
}

/// Routes events until the session ends or `halt`.
pub(crate) async fn run(
    session: &Arc<Session>,
    directory: &Directory,
    settings: Settings,
    halt: &CancellationToken,
) -> Result<(), BrokerError> {
    let publisher = session.publisher().await?;
    let journal = session.journal().await?;
    let channel = session.consumer_channel().await?;
    let mut source = channel.consume(&session.names().router(), settings.prefetch).await?;
    tracing::info!("routing events");

    let settling = TaskTracker::new();
    let taking = async {
        // A fan-out that has begun is finished: what is half sent would be sent again.
        while let Some(Some(received)) = halt.run_until_cancelled(source.next()).await {
            let sent = match judge(&received.message, settings.most_event_bytes) {
                Ok(event) => send(event, received.message, session, directory, &publisher).await?,
                Err(rejection) => reject(rejection, received.message),
            };
            settling.spawn(settle(sent, journal.clone(), received.receipt));
        }
        Ok(())
    };
    let taken = tokio::select! {
        taken = taking => taken,
        () = session.ended() => Ok(()),
    };
    if session.is_open() {
        source.cancel().await;
    }
    settling.close();
    settling.wait().await;
    channel.flush().await?;
    taken
}

fn judge(message: &Message, most_bytes: usize) -> Result<Event, Rejection> {
    if message.returns >= MOST_RETURNS {
        let reason =
            format!("came back {} times without being routed: routing it seems to fail", message.returns);
        return Err(Rejection { field: "message", reason });
    }
    Event::decode(&message.body, most_bytes)
}

/// Hands the deliveries over in the order of the events.
async fn send(
    event: Event,
    message: Message,
    session: &Session,
    directory: &Directory,
    publisher: &Publisher,
) -> Result<Sent, BrokerError> {
    let received_at = Timestamp::now();
    let webhook_ids = directory.wanting(&event, received_at);
    metrics::event_received(webhook_ids.len());
    let headers = DeliveryHeaders {
        received_at: Some(received_at),
        traceparent: message.headers.traceparent,
        ..DeliveryHeaders::default()
    };
    let mut confirms = Vec::with_capacity(webhook_ids.len());
    for id in &webhook_ids {
        let delivery = session.names().delivery(*id, &event.id, message.body.clone(), &headers);
        confirms.push(publisher.publish(delivery).await?);
    }
    Ok(Sent { confirms, entry: Entry::Routed(Routed { message: message.body, received_at, webhook_ids }) })
}

fn reject(rejection: Rejection, message: Message) -> Sent {
    metrics::event_rejected(rejection.field);
    tracing::warn!(message.id = message.message_id, "rejected an event: {rejection}");
    Sent { confirms: Vec::new(), entry: message.rejected(rejection) }
}

/// Waits until everything is safe, then acknowledges. If it fails the session has ended, and the
/// message comes back.
async fn settle(sent: Sent, journal: Journal, receipt: Receipt) {
    for confirm in sent.confirms {
        if confirm.wait().await.is_err() {
            return;
        }
    }
    if journal.write(sent.entry).await.is_ok() {
        receipt.finish();
    }
}
