//! Declares the queues of webhooks ahead of their first delivery. A delivery that is faster becomes
//! an orphan for a moment.

use std::{collections::HashSet, sync::Arc, time::Duration};

use posthorn_broker::Session;
use posthorn_domain::told::told;
use tokio_util::sync::CancellationToken;

use crate::directory::Directory;

const PAUSE: Duration = Duration::from_secs(30);

/// Declares what is new until the session ends or `halt`.
pub(crate) async fn run(session: &Arc<Session>, directory: &Directory, halt: &CancellationToken) {
    let declaring = async {
        let mut declared = HashSet::new();
        let mut changes = directory.changes();
        loop {
            changes.mark_unchanged();
            let ids = directory.ids();
            for id in ids {
                if declared.contains(&id) {
                    continue;
                }
                match session.declare_webhook(id).await {
                    Ok(()) => _ = declared.insert(id),
                    Err(_) if !session.is_open() => return,
                    // The others must not wait for this one; it is tried again after the pause.
                    Err(error) => {
                        tracing::error!(webhook.id = %id, "cannot declare a webhook's queue: {}", told(&error))
                    }
                }
            }
            declared.retain(|id| directory.knows(*id));
            tokio::select! {
                changed = changes.changed() => changed.expect("the directory outlives the session"),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    };
    tokio::select! {
        () = declaring => {}
        () = session.ended() => {}
        () = halt.cancelled() => {}
    }
}
