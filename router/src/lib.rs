//! The router: matches each event with all enabled webhooks and publishes a delivery for each that
//! wants it.
//!
//! An event is acknowledged only after the broker has confirmed all its deliveries and its journal
//! entry. A crash between any two lines routes it again: receivers see the same `webhook-id` twice.

mod backlog;
mod declare;
mod directory;
mod events;
mod matcher;
mod metrics;
mod orphans;
mod suspects;

use std::{pin::pin, sync::Arc};

use posthorn_broker::{Broker, BrokerError, Queue, Role, Session};
use posthorn_domain::{error_chain::error_chain, status::Status, webhook::updates::Update};
use posthorn_timing::{Clock, Ended, until_stopped};
use tokio::{
    sync::{Notify, mpsc},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use declare::Declaring;
use directory::Directory;
use matcher::{Matcher, Most};

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
    /// Where the time comes from.
    pub clock: Clock,
}

impl Settings {
    fn matcher(&self, directory: &Arc<Directory>) -> Matcher {
        let most = Most { bytes: self.most_event_bytes, steps: self.most_match_steps };
        Matcher { directory: directory.clone(), most }
    }

    /// Events held unacknowledged. The broker counts messages, not bytes, and hands out as many at once.
    fn prefetch(&self) -> u16 {
        let large = self.most_held_bytes / self.most_event_bytes.max(1) as u64;
        self.most_held.min(u16::try_from(large).unwrap_or(u16::MAX)).max(1)
    }
}

/// Why the router cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    /// The broker, in a way that trying again cannot mend.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// A part of it.
    #[error("the router cannot go on")]
    Ended(#[from] Ended),
}

/// Routes events until `stop`, session after session. `queues` tells whether the webhooks' queues are
/// declared: nothing is routed before.
///
/// # Errors
/// Those of the broker that trying again cannot mend, and if a part of it ends before `stop`.
pub async fn run(
    broker: Arc<Broker>,
    updates: mpsc::Receiver<Update>,
    settings: Settings,
    queues: Status,
    stop: CancellationToken,
) -> Result<(), RouterError> {
    metrics::describe();
    let directory = Arc::new(Directory::default());
    let suspects = Arc::new(Notify::new());
    let router = Router { matcher: settings.matcher(&directory), settings, queues, suspects };
    let mut tasks = JoinSet::new();
    let following = directory.follow(updates, stop.clone());
    tasks.spawn(until_stopped("following the webhooks' changes", following, stop.clone()));
    let trying = router.clone().try_suspects(broker.clone(), stop.clone());
    tasks.spawn(until_stopped("trying suspects", trying, stop.clone()));

    let mut routing = pin!(router.route(&broker, &stop));
    let routed = loop {
        tokio::select! {
            routed = &mut routing => break routed.map_err(RouterError::from),
            Some(ended) = tasks.join_next() => if let Err(ended) = flatten(ended) { break Err(ended.into()) },
        }
    };
    stop.cancel();
    while let Some(ended) = tasks.join_next().await {
        flatten(ended)?;
    }
    routed
}

fn flatten(ended: Result<Result<(), Ended>, JoinError>) -> Result<(), Ended> {
    ended.expect("a panic is caught, and nobody aborts it")
}

/// What outlives a session.
#[derive(Clone)]
struct Router {
    matcher: Matcher,
    settings: Settings,
    queues: Status,
    /// Told when there are suspects.
    suspects: Arc<Notify>,
}

impl Router {
    async fn route(&self, broker: &Broker, stop: &CancellationToken) -> Result<(), BrokerError> {
        // An empty index is not "nobody wants it": nothing is routed before the webhooks are known.
        if stop.run_until_cancelled(self.matcher.directory.loaded()).await.is_none() {
            return Ok(());
        }
        while let Some(session) = broker.session(Role::Router, stop).await? {
            if let Err(error) = self.serve(&session, stop).await {
                session.fail(error_chain(&error));
            }
            session.close().await;
        }
        Ok(())
    }

    async fn try_suspects(self, broker: Arc<Broker>, stop: CancellationToken) {
        suspects::run(broker, self.matcher, self.settings.clock, self.suspects, stop).await;
    }

    /// Routes events on one session until it ends or `stop`.
    async fn serve(&self, session: &Arc<Session>, stop: &CancellationToken) -> Result<(), BrokerError> {
        let halt = stop.child_token();
        let Self { matcher, settings, queues, suspects } = self;
        let (directory, clock) = (&matcher.directory, settings.clock);
        let declaring = Declaring::new(session, directory, queues);
        // A delivery whose queue is not there yet becomes an orphan: not all at once after a first start.
        let events = async {
            match declaring.declared(&halt).await {
                true => {
                    let (queue, prefetch) = (Queue::Events, settings.prefetch());
                    events::run(session, queue, prefetch, matcher, clock, &halt).await
                }
                false => Ok(()),
            }
        };
        let orphans = orphans::run(session, directory, clock, &halt);
        let declaring = declaring.run(&halt);
        let watching = backlog::watch(session, suspects, &halt);
        let (events, orphans, (), ()) =
            tokio::join!(or_halt(events, &halt), or_halt(orphans, &halt), declaring, watching);
        events.and(orphans)
    }
}

/// Halts all tasks of the session when this one ends.
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
            Settings {
                most_held,
                most_held_bytes,
                most_event_bytes,
                most_match_steps: 0,
                clock: Clock::system(),
            }
            .prefetch()
        };
        assert_eq!(held(500, 512 << 20, 1 << 20), 500);
        assert_eq!(held(500, 512 << 20, 8 << 20), 64);
        assert_eq!(held(500, 1 << 20, 8 << 20), 1);
        assert_eq!(held(u16::MAX, 1 << 40, 1), u16::MAX);
    }
}
