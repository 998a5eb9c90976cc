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
mod decision;
mod delivery;
mod dispatcher;
mod held;
mod in_flight;
mod intake;
mod latency_tracker;
mod messages;
mod metrics;
mod outage;
mod outbox;
mod pending_batch;
mod permits;
mod pipeline;
mod prefetch;
mod prepared_event;
mod recipient;
mod serve;
mod suspects;
mod targets;

use std::{net::SocketAddr, pin::pin, sync::Arc};

use posthorn_attempt::{CannotPrepare, Receivers};
use posthorn_broker::{Broker, BrokerError, Role};
use posthorn_domain::{
    address::AddressPolicy, error_chain::error_chain, keyring::KeyRing, retry::RetryPolicy, status::Status,
    webhook::updates::Update,
};
use posthorn_timing::Clock;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use permits::Shares;

use admission::Admission;
use dispatcher::Dispatcher;
use held::Limits;
use in_flight::InFlightAttempts;
use outage::Outage;
use permits::Permits;
use serve::{Intakes, serve};
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
    /// Deliveries of batches that are held at a time, besides those whose attempts take long.
    pub held: usize,
    /// Bytes of the batches that are held at a time.
    pub held_bytes: usize,
    /// Channels over which the webhooks' consumers are spread.
    pub channels: usize,
    /// The most attempts at a time, over all webhooks.
    pub most_in_flight: usize,
    /// How many of them a company and a receiving host may have.
    pub shares: Shares,
    /// The most idle connections kept for each company and receiving host.
    pub idle_connections: usize,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Settings {
    fn intakes(&self) -> Intakes {
        Intakes { batches: Limits { deliveries: self.held, bytes: self.held_bytes }, channels: self.channels }
    }
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
    let (intakes, clock) = (settings.intakes(), settings.clock);
    let dispatcher = Arc::new(Dispatcher {
        receivers: Receivers::new(
            settings.addresses.clone(),
            &settings.name_servers,
            settings.idle_connections,
        )?,
        retry: settings.retry,
        admission: Admission {
            permits: Permits::new(settings.most_in_flight, settings.shares),
            outage: Outage::new(clock),
            clock,
        },
        deliveries: TaskTracker::new(),
        in_flight: InFlightAttempts::default(),
        consuming,
        clock,
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
        let served = serve(&session, &dispatcher, &mut targets, &mut updates, intakes, &stop).await;
        if let Err(error) = served {
            session.fail(error_chain(&error));
        }
        session.close().await;
    }
    dispatcher.deliveries.close();
    dispatcher.deliveries.wait().await;
    Ok(())
}
