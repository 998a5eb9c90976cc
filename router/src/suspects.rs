//! Suspects: events that came back to their queue again and again, with all that was in flight beside
//! them. Each is routed alone, on a session of its own: innocent ones are through at once, and the one that
//! ends the session, or the process, comes back alone. After a few times the broker puts it into
//! quarantine.

use std::{sync::Arc, time::Duration};

use posthorn_broker::{Broker, BrokerError, Queue, Role, Session};
use posthorn_domain::error_chain::error_chain;
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    directory::Directory,
    events::{self, Most},
};

/// Between two looks whether there are more.
const EVERY: Duration = Duration::from_secs(1);

/// Routes suspects whenever it is told that there are some, until `stop`.
pub(crate) async fn run(
    broker: Arc<Broker>,
    directory: Arc<Directory>,
    most: Most,
    waiting: Arc<Notify>,
    stop: CancellationToken,
) {
    while stop.run_until_cancelled(waiting.notified()).await.is_some() {
        while !emptied(&broker, &directory, most, &stop).await {
            if stop.run_until_cancelled(sleep(EVERY)).await.is_none() {
                return;
            }
        }
    }
}

/// Routes suspects until none is left; false if the session ended before.
async fn emptied(broker: &Broker, directory: &Directory, most: Most, stop: &CancellationToken) -> bool {
    let Some(opened) = stop.run_until_cancelled(broker.open_beside(Role::Suspects)).await else {
        return false;
    };
    let session = match opened {
        Ok(session) => session,
        Err(error) => {
            tracing::debug!("cannot look after suspects: {}", error_chain(&error));
            return false;
        }
    };
    if let Err(error) = route(&session, directory, most, stop).await {
        session.fail(error_chain(&error));
    }
    let is_empty = session.is_open();
    session.close().await;
    is_empty
}

async fn route(
    session: &Arc<Session>,
    directory: &Directory,
    most: Most,
    stop: &CancellationToken,
) -> Result<(), BrokerError> {
    // What keeps every event from being routed must not be blamed on the one that is tried now.
    if stop.run_until_cancelled(session.prove_way()).await.transpose()?.is_none() {
        return Ok(());
    }
    let halt = stop.child_token();
    let routing = async {
        let _halt = halt.clone().drop_guard();
        events::run(session, Queue::SuspectEvents, 1, directory, most, &halt).await
    };
    let (routed, ()) = tokio::join!(routing, halt_when_empty(session, &halt));
    routed
}

async fn halt_when_empty(session: &Session, halt: &CancellationToken) {
    while halt.run_until_cancelled(sleep(EVERY)).await.is_some() {
        if session.backlog().await.is_ok_and(|backlog| backlog.suspect_events == 0) {
            halt.cancel();
        }
    }
}
