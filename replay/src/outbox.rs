//! What is left in the outbox: promised by a process that fell, or that RabbitMQ did not answer in time.

use futures_util::future::join_all;
use posthorn_broker::Client;
use posthorn_domain::error_chain::error_chain;
use posthorn_proto::v1;
use posthorn_store::{Destination, Outgoing, Store, StoreError};
use prost::Message;
use tokio_util::sync::CancellationToken;

use crate::{WorkError, Worker, keep_on};

/// How many messages are claimed in one go, and sent at a time.
const MOST_CLAIMED: i64 = 20;

/// Sends a message of the outbox, and removes it once it is confirmed.
///
/// # Errors
/// If the broker does not confirm it, or the database is gone: then it stays, and is sent later, perhaps for
/// the second time.
pub async fn send(store: &Store, client: &Client, outgoing: Outgoing) -> Result<(), WorkError> {
    let Outgoing { id, to, message } = outgoing;
    match to {
        Destination::Router => client.publish(&v1::Event::decode(message)?).await?,
        Destination::Webhook { id, event, received_at } => {
            client.deliver(id, event, message, received_at).await?;
        }
    }
    Ok(store.background.remove_outgoing(id).await?)
}

/// Sends what is left until `stop`.
pub(crate) async fn run(worker: &Worker, stop: &CancellationToken) {
    keep_on("send what is left in the outbox", stop, || go_on(worker)).await;
}

/// Claims messages and sends them; false if there are none, or none can be sent.
async fn go_on(worker: &Worker) -> Result<bool, StoreError> {
    let claimed = worker.store.background.claim_outgoing(MOST_CLAIMED).await?;
    let sending = claimed.into_iter().map(|outgoing| send(&worker.store, &worker.client, outgoing));
    let sent = join_all(sending).await;
    for error in sent.iter().filter_map(|sent| sent.as_ref().err()) {
        tracing::warn!("a message stays in the outbox: {}", error_chain(error));
    }
    Ok(sent.iter().any(Result::is_ok))
}
