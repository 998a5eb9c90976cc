//! The worker of what goes on in the background, at any process and at several: replays, and what is left in
//! the outbox.
//!
//! Both claim their work in PostgreSQL for a while and note what is done after RabbitMQ has confirmed it. A
//! process that falls in between repeats a few deliveries, and loses none. What people ask for is begun
//! elsewhere: rows in PostgreSQL tell this crate.

mod choose;
mod outbox;
mod replays;

use std::{sync::Arc, time::Duration};

use posthorn_broker::{BrokerError, Client};
use posthorn_domain::error_chain::error_chain;
use posthorn_publisher::PublishError;
use posthorn_store::{Store, StoreError};
use posthorn_timing::Backoff;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub use outbox::send;

/// How long to wait when there is nothing to do.
const PAUSE: Duration = Duration::from_millis(500);
/// How long to wait at most between two tries while PostgreSQL is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Settings of the worker.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many deliveries a replay publishes in a second.
    pub per_second: u32,
    /// How many steps matching an event takes at most.
    pub most_match_steps: u64,
}

/// What the worker works with.
pub struct Worker {
    /// The database.
    pub store: Store,
    /// The broker.
    pub client: Arc<Client>,
    /// Its settings.
    pub settings: Settings,
}

/// Why work rests.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The broker has not confirmed a delivery.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The broker has not confirmed an event.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A message of the outbox is no event.
    #[error("a message of the outbox is no event")]
    NoEvent(#[from] prost::DecodeError),
}

impl Worker {
    /// Works until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(replays::run(&self, &stop), outbox::run(&self, &stop));
    }
}

/// Goes on until `stop`: at once while there is work, after a pause when there is none or it fails.
async fn keep_on<F: Future<Output = Result<bool, StoreError>>>(
    task: &str,
    stop: &CancellationToken,
    go_on: impl Fn() -> F,
) {
    let mut backoff = Backoff::new(PAUSE, LONGEST_PAUSE);
    while !stop.is_cancelled() {
        match go_on().await {
            Ok(true) => {
                backoff.reset();
                continue;
            }
            Ok(false) => backoff.reset(),
            Err(error) => tracing::warn!("cannot {task}: {}", error_chain(&error)),
        }
        stop.run_until_cancelled(sleep(backoff.pause(rand::random()))).await;
    }
}
