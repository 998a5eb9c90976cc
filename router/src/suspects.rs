//! Suspects: events that came back to their queue again and again, with all that was in flight beside
//! them. Each is routed alone, on a session of its own: innocent ones are through at once, and the one that
//! ends the session, or the process, comes back alone. After a few times the broker puts it into
//! quarantine.

use std::{sync::Arc, time::Duration};

use posthorn_broker::{Broker, BrokerError, Queue, Role, Session};
use posthorn_domain::error_chain::error_chain;
use posthorn_timing::Clock;
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{events, matcher::Matcher};

/// Between two looks whether there are more.
const EVERY: Duration = Duration::from_secs(1);

/// Routes suspects whenever it is told that there are some, until `stop`.
pub(crate) async fn run(
    broker: Arc<Broker>,
    matcher: Matcher,
    clock: Clock,
    waiting: Arc<Notify>,
    stop: CancellationToken,
) {
    // An empty index is not "nobody wants it": nothing is routed before the webhooks are known.
    if stop.run_until_cancelled(matcher.directory.loaded()).await.is_none() {
        return;
    }
    while stop.run_until_cancelled(waiting.notified()).await.is_some() {
        while !emptied(&broker, &matcher, clock, &stop).await {
            if stop.run_until_cancelled(sleep(EVERY)).await.is_none() {
                return;
            }
        }
    }
}

/// Routes suspects until none is left; false if the session ended before.
async fn emptied(broker: &Broker, matcher: &Matcher, clock: Clock, stop: &CancellationToken) -> bool {
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
    if let Err(error) = route(&session, matcher, clock, stop).await {
        session.fail(error_chain(&error));
    }
    let is_empty = session.is_open();
    session.close().await;
    is_empty
}

async fn route(
    session: &Arc<Session>,
    matcher: &Matcher,
    clock: Clock,
    stop: &CancellationToken,
) -> Result<(), BrokerError> {
    // What keeps every event from being routed must not be blamed on the one that is tried now.
    if stop.run_until_cancelled(session.prove_way()).await.transpose()?.is_none() {
        return Ok(());
    }
    let halt = stop.child_token();
    let routing = async {
        let _halt = halt.clone().drop_guard();
        events::run(session, Queue::SuspectEvents, 1, matcher, clock, &halt).await
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
