//! What one recorder of all does once in a while: partitions, old statistics, expired secrets and
//! mails, queues of deleted webhooks, a look at retries that are due.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use posthorn_broker::Session;
use posthorn_domain::error_chain::error_chain;
use posthorn_store::{Janitor, Store, StoreError};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{Settings, metrics, retries::Lateness};

const EVERY: Duration = Duration::from_secs(30);
/// For so long a mail is tried again.
const MAILS_ARE_TRIED: Duration = Duration::from_secs(24 * 3600);

/// Tidies up until the session ends or `halt`.
pub(crate) async fn run(session: &Arc<Session>, store: &Store, settings: Settings, halt: &CancellationToken) {
    let tidying = async {
        let mut lateness = Lateness::default();
        loop {
            if let Err(error) = tidy(session, store, settings, &mut lateness, Timestamp::now()).await {
                tracing::warn!("cannot tidy up: {}", error_chain(&error));
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

async fn tidy(
    session: &Session,
    store: &Store,
    settings: Settings,
    lateness: &mut Lateness,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(janitor) = store.housekeeping.janitor().await? else {
        lateness.is_told_by_another();
        return Ok(());
    };
    if let Err(error) = lateness.look(&janitor, now).await {
        tracing::warn!("cannot look for late retries: {}", error_chain(&error));
    }
    maintain(&janitor, settings, now).await;
    let forgotten = janitor.make_room_for_rejected(settings.recording.most_rejected_bytes).await?;
    metrics::rejected_unkept(forgotten);
    janitor.forget_expired_secrets().await?;
    let mails = janitor.forget_old_mails(MAILS_ARE_TRIED).await?;
    if mails > 0 {
        tracing::error!("gave up {mails} mails that could not be sent for a day");
    }
    janitor.forget_the_past(now, settings.retention).await?;
    remove_queues(session, &janitor, settings.deletion_grace).await
}

/// Looks after partitions and statistics. What fails is tried again the next time.
async fn maintain(janitor: &Janitor<'_>, settings: Settings, now: Timestamp) {
    match janitor.maintain_partitions(now, settings.retention).await {
        Ok(dropped) => {
            dropped.iter().for_each(|name| tracing::info!("dropped the partition {name}: it is too old"))
        }
        Err(error) => tracing::warn!("cannot look after the partitions: {}", error_chain(&error)),
    }
    match janitor.maintain_statistics(now, settings.minutes, settings.hours).await {
        Ok(folded) => folded.iter().for_each(|name| tracing::info!("folded {name} into hours")),
        Err(error) => tracing::warn!("cannot look after the statistics: {}", error_chain(&error)),
    }
}

/// Removes the queues of webhooks that were deleted longer than `grace` ago, and forgets these.
async fn remove_queues(session: &Session, janitor: &Janitor<'_>, grace: Duration) -> Result<(), StoreError> {
    let deleted = janitor.deleted_webhooks(grace).await?;
    for (id, removed) in session.remove_webhooks(&deleted).await {
        match removed {
            Ok(()) => janitor.forget_webhook(id).await?,
            Err(error) => tracing::warn!(webhook.id = %id, "cannot remove a queue: {}", error_chain(&error)),
        }
    }
    Ok(())
}
