//! The router: matches each event with all enabled webhooks and publishes a delivery for each that
//! wants it.
//!
//! An event is acknowledged only after the broker has confirmed all its deliveries and its journal
//! entry. A crash between any two lines routes it again: receivers see the same `webhook-id` twice.

mod backlog;
mod declare;
mod directory;
mod events;
mod metrics;
mod orphans;
mod suspects;

use std::sync::Arc;

use posthorn_broker::{Broker, BrokerError, Queue, Role, Session};
use posthorn_domain::{error_chain::error_chain, status::Status, webhook::updates::Update};
use tokio::sync::{Notify, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use declare::Declaring;
use directory::Directory;

/// Settings of the router.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Events held unacknowledged.
    pub most_held: u16,
    /// Bytes of them, if all are as large as they may be.
    pub most_held_bytes: u64,
    /// The largest event; larger ones are rejected.
    pub most_event_bytes: usize,
    /// How many steps matching an event takes at most; one that takes more is rejected.
    pub most_match_steps: u64,
}

impl Settings {
    fn most(&self) -> events::Most {
        events::Most { bytes: self.most_event_bytes, steps: self.most_match_steps }
    }

    /// Events held unacknowledged. The broker counts messages, not bytes, and hands out as many at once.
    fn prefetch(&self) -> u16 {
        let large = self.most_held_bytes / self.most_event_bytes.max(1) as u64;
        self.most_held.min(u16::try_from(large).unwrap_or(u16::MAX)).max(1)
    }
}

/// Routes events until `stop`, session after session. `queues` tells whether the webhooks' queues are
/// declared: nothing is routed before.
///
/// # Errors
/// Those of the broker that trying again cannot mend.
pub async fn run(
    broker: Arc<Broker>,
    updates: mpsc::Receiver<Update>,
    settings: Settings,
    queues: Status,
    stop: CancellationToken,
) -> Result<(), BrokerError> {
    metrics::describe();
    let directory = Arc::new(Directory::default());
    let tasks = TaskTracker::new();
    tasks.spawn(directory.clone().follow(updates, stop.clone()));
    let suspects = Arc::new(Notify::new());
    // An empty index is not "nobody wants it": nothing is routed before the webhooks are known.
    let routed = async {
        if stop.run_until_cancelled(directory.loaded()).await.is_none() {
            return Ok(());
        }
        let most = settings.most();
        let (broker, directory) = (broker.clone(), directory.clone());
        tasks.spawn(suspects::run(broker.clone(), directory.clone(), most, suspects.clone(), stop.clone()));
        while let Some(session) = broker.session(Role::Router, &stop).await? {
            if let Err(error) = serve(&session, &directory, settings, &queues, &suspects, &stop).await {
                session.fail(error_chain(&error));
            }
            session.close().await;
        }
        Ok(())
    };
    let routed = routed.await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    routed
}

/// Routes events on one session until it ends or `stop`.
async fn serve(
    session: &Arc<Session>,
    directory: &Arc<Directory>,
    settings: Settings,
    queues: &Status,
    suspects: &Notify,
    stop: &CancellationToken,
) -> Result<(), BrokerError> {
    let halt = stop.child_token();
    let declaring = Declaring::new(session, directory, queues);
    // A delivery whose queue is not there yet becomes an orphan: not all at once after a first start.
    let events = async {
        match declaring.declared(&halt).await {
            true => {
                let (queue, prefetch) = (Queue::Events, settings.prefetch());
                events::run(session, queue, prefetch, directory, settings.most(), &halt).await
            }
            false => Ok(()),
        }
    };
    let orphans = orphans::run(session, directory, &halt);
    let declaring = declaring.run(&halt);
    let watching = backlog::watch(session, suspects, &halt);
    let (events, orphans, (), ()) =
        tokio::join!(or_halt(events, &halt), or_halt(orphans, &halt), declaring, watching);
    events.and(orphans)
}

/// One that ends takes the others with it.
async fn or_halt(
    work: impl Future<Output = Result<(), BrokerError>>,
    halt: &CancellationToken,
) -> Result<(), BrokerError> {
    let _halt = halt.clone().drop_guard();
    work.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_large_events_are_held() {
        let held = |most_held, most_held_bytes, most_event_bytes| {
            Settings { most_held, most_held_bytes, most_event_bytes, most_match_steps: 0 }.prefetch()
        };
        assert_eq!(held(500, 512 << 20, 1 << 20), 500);
        assert_eq!(held(500, 512 << 20, 8 << 20), 64);
        assert_eq!(held(500, 1 << 20, 8 << 20), 1);
        assert_eq!(held(u16::MAX, 1 << 40, 1), u16::MAX);
    }
}
