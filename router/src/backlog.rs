//! Tells how much waits in the queues that all webhooks share, for dashboards, alerts and autoscalers.

use std::time::Duration;

use posthorn_broker::{Backlog, Session};
use posthorn_domain::error_chain::error_chain;
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::metrics;

const EVERY: Duration = Duration::from_secs(5);

/// Looks every few seconds until the session ends or `halt`, and wakes who looks after suspects if there
/// are any.
pub(crate) async fn watch(session: &Session, suspects: &Notify, halt: &CancellationToken) {
    let watching = async {
        loop {
            match session.backlog().await {
                Ok(backlog) => {
                    if backlog.suspect_events > 0 {
                        suspects.notify_one();
                    }
                    tell(backlog);
                }
                Err(error) => tracing::debug!("cannot look at the queues: {}", error_chain(&error)),
            }
            sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = watching => {}
        () = session.ended() => {}
        () = halt.cancelled() => {}
    }
}

fn tell(backlog: Backlog) {
    let Backlog { events, batches, retries, orphans, journal, .. } = backlog;
    let Backlog { suspect_events, suspect_deliveries, quarantine, .. } = backlog;
    metrics::backlog("router", events);
    metrics::backlog("batches", batches);
    metrics::backlog("retries", retries);
    metrics::backlog("orphans", orphans);
    metrics::backlog("journal", journal);
    metrics::backlog("suspects.events", suspect_events);
    metrics::backlog("suspects.deliveries", suspect_deliveries);
    metrics::backlog("quarantine", quarantine);
}
