//! The dispatcher: consumes batches and each enabled webhook's queue, and makes the attempts.
//!
//! A delivery is acknowledged only after the attempt's consequence is safe in the broker: its retry,
//! and its journal entry. A crash between any two lines repeats the attempt and never loses it.

mod admission;
mod batches;
mod circuit_breaker;
mod consumer;
mod consumer_supervisor;
mod consumers;
mod delivery;
mod in_flight;
mod latency_tracker;
mod metrics;
mod outage;
mod permits;
mod prepared_event;
mod recipient;
mod suspects;
mod targets;

use std::{net::SocketAddr, pin::pin, sync::Arc};

use posthorn_attempt::{CannotPrepare, Receivers};
use posthorn_broker::{Broker, BrokerError, Role, Session};
use posthorn_domain::{
    address::AddressPolicy, error_chain::error_chain, keyring::KeyRing, retry::RetryPolicy, status::Status,
    webhook::updates::Update,
};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use permits::Shares;

use consumers::Consumers;
use delivery::Pipeline;
use in_flight::InFlightAttempts;
use outage::Outage;
use permits::Permits;
use recipient::Recipient;
use targets::Targets;

/// Settings of the dispatcher.
#[derive(Debug)]
pub struct Settings {
    /// The retry schedule.
    pub retry: RetryPolicy,
    /// Which addresses webhooks may have.
    pub addresses: AddressPolicy,
    /// The name servers that are asked for their hosts; the system's if there are none.
    pub name_servers: Vec<SocketAddr>,
    /// Opens the webhooks' secrets.
    pub keys: KeyRing,
    /// The most deliveries of batches that are held at a time.
    pub held: u16,
    /// Channels over which the webhooks' consumers are spread.
    pub channels: usize,
    /// The most attempts at a time, over all webhooks.
    pub most_in_flight: usize,
    /// How many of them a company and a receiving host may have.
    pub shares: Shares,
    /// The most idle connections kept for each company and receiving host.
    pub idle_connections: usize,
}

/// Why the dispatcher cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DispatcherError {
    /// The broker, in a way that trying again cannot mend.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] CannotPrepare),
}

/// What outlives a session.
pub(crate) struct Dispatcher {
    retry: RetryPolicy,
    receivers: Receivers,
    permits: Permits,
    deliveries: TaskTracker,
    outage: Outage,
    in_flight: InFlightAttempts,
    consuming: Status,
}

/// Makes attempts until `stop`, session after session. `consuming` tells whether every webhook's queue
/// is consumed.
///
/// # Errors
/// If the HTTP client cannot be prepared, and those of the broker that trying again cannot mend.
pub async fn run(
    broker: Arc<Broker>,
    mut updates: mpsc::Receiver<Update>,
    settings: Settings,
    consuming: Status,
    stop: CancellationToken,
) -> Result<(), DispatcherError> {
    metrics::describe();
    let dispatcher = Arc::new(Dispatcher {
        receivers: Receivers::new(
            settings.addresses.clone(),
            &settings.name_servers,
            settings.idle_connections,
        )?,
        retry: settings.retry,
        permits: Permits::new(settings.most_in_flight, settings.shares),
        deliveries: TaskTracker::new(),
        outage: Outage::default(),
        in_flight: InFlightAttempts::default(),
        consuming,
    });
    let mut targets = Targets::new(settings.keys, settings.addresses);
    if let Some(Some(first)) = stop.run_until_cancelled(updates.recv()).await {
        targets.apply(first.changes);
    }
    loop {
        let mut opening = pin!(broker.session(Role::Dispatcher, &stop));
        let opened = loop {
            tokio::select! {
                opened = &mut opening => break opened?,
                Some(update) = updates.recv() => {
                    targets.apply(update.changes);
                }
            }
        };
        let Some(session) = opened else { break };
        let spread = Spread { held: settings.held, channels: settings.channels };
        let served = serve(&session, &dispatcher, &mut targets, &mut updates, spread, &stop).await;
        if let Err(error) = served {
            session.fail(error_chain(&error));
        }
        session.close().await;
    }
    dispatcher.deliveries.close();
    dispatcher.deliveries.wait().await;
    Ok(())
}

/// How messages are taken.
#[derive(Debug, Clone, Copy)]
struct Spread {
    held: u16,
    channels: usize,
}

/// Makes attempts on one session until it ends or `stop`; on `stop` waits for those that run and
/// acknowledges them. Those that run when the session ends go on beside the next one.
async fn serve(
    session: &Arc<Session>,
    dispatcher: &Arc<Dispatcher>,
    targets: &mut Targets,
    updates: &mut mpsc::Receiver<Update>,
    spread: Spread,
    stop: &CancellationToken,
) -> Result<(), BrokerError> {
    let pipeline = Pipeline::open(session, dispatcher).await?;
    let pool = session.consumer_pool(1);
    let consumers = Consumers::new(session.clone(), pipeline.clone(), spread.channels);
    let known = consumers.know(targets.all().cloned());
    let halt = stop.child_token();
    let batches = async {
        let _halt = halt.clone().drop_guard();
        batches::run(session, &pool, &pipeline, spread.held, &halt).await
    };
    let suspects = async {
        let _halt = halt.clone().drop_guard();
        suspects::run(session, &pool, &pipeline, &halt).await
    };
    let following = async {
        let _halt = halt.clone().drop_guard();
        tokio::select! {
            failed = follow(&consumers, &known, &dispatcher.consuming, targets, updates) => Err(failed),
            () = session.ended() => Ok(()),
            () = halt.cancelled() => Ok(()),
        }
    };
    let probing =
        halt.run_until_cancelled(dispatcher.outage.probe(&dispatcher.receivers, &pipeline.recipients));
    let (batches, suspects, following, _) = tokio::join!(batches, suspects, following, probing);
    consumers.stop().await;
    if stop.is_cancelled() {
        dispatcher.deliveries.close();
        dispatcher.consuming.set(Some("it takes nothing new".to_owned()));
        tracing::info!(
            running = dispatcher.deliveries.len(),
            "takes nothing new, finishes the attempts that run"
        );
        tokio::select! {
            () = dispatcher.deliveries.wait() => {
                // A dead channel's deliveries come back, to whoever is there then.
                let _ = tokio::join!(consumers.flush(), pool.flush());
            }
            () = session.ended() => {}
        }
    }
    batches.and(suspects).and(following)
}

/// Starts the consumers and tells them what changes. Returns only if they cannot be started.
async fn follow(
    consumers: &Consumers,
    known: &[Arc<Recipient>],
    consuming: &Status,
    targets: &mut Targets,
    updates: &mut mpsc::Receiver<Update>,
) -> BrokerError {
    let starting = async {
        match consumers.start(known, consuming).await {
            Ok(()) => tracing::info!(webhooks = known.len(), "delivering"),
            Err(error) => return error,
        }
        std::future::pending().await
    };
    let following = async {
        while let Some(update) = updates.recv().await {
            for (id, target) in targets.apply(update.changes) {
                match target {
                    Some(target) => consumers.put(target),
                    None => consumers.remove(id),
                }
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        failed = starting => failed,
        failed = following => failed,
    }
}
