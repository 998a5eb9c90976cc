//! What one recorder of all does once in a while: partitions, expired secrets, queues of deleted
//! webhooks.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use posthorn_broker::Session;
use posthorn_store::{Janitor, Store};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::Settings;

const EVERY: Duration = Duration::from_secs(30);
/// Between unbinding a queue and deleting it: what was being routed to it has arrived by then.
const UNBOUND_FOR: Duration = Duration::from_secs(5);

/// Tidies up until the session ends or `halt`.
pub(crate) async fn run(session: &Arc<Session>, store: &Store, settings: Settings, halt: &CancellationToken) {
    let tidying = async {
        loop {
            if let Err(problem) = tidy(session, store, settings).await {
                tracing::warn!("cannot tidy up: {problem}");
            }
            sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = tidying => {}
        () = session.ended() => {}
        () = halt.cancelled() => {}
    }
}

async fn tidy(session: &Session, store: &Store, settings: Settings) -> Result<(), String> {
    let Some(janitor) = store.janitor().await.map_err(|error| error.told())? else { return Ok(()) };
    let tidied = tidy_as(&janitor, session, settings).await;
    janitor.done().await;
    tidied
}

async fn tidy_as(janitor: &Janitor<'_>, session: &Session, settings: Settings) -> Result<(), String> {
    let maintained = janitor.maintain_partitions(Timestamp::now(), settings.retention).await;
    for name in maintained.map_err(|error| error.told())?.dropped_partitions {
        tracing::info!("dropped the partition {name}: it is older than the retention");
    }
    janitor.forget_expired_secrets().await.map_err(|error| error.told())?;
    let deleted = janitor.deleted_webhooks(settings.deletion_grace).await.map_err(|error| error.told())?;
    for id in &deleted {
        session.unbind_webhook(*id).await.map_err(|error| error.to_string())?;
    }
    if !deleted.is_empty() {
        sleep(UNBOUND_FOR).await;
    }
    for id in deleted {
        session.delete_webhook(id).await.map_err(|error| error.to_string())?;
        janitor.forget_webhook(id).await.map_err(|error| error.told())?;
        tracing::info!(webhook.id = %id, "deleted the queue of a deleted webhook");
    }
    Ok(())
}
