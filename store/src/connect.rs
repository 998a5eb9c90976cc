//! Connections.

use std::{pin::Pin, time::Duration};

use deadpool_postgres::{Connect, Manager, ManagerConfig, Object, RecyclingMethod, Runtime, Timeouts};
use posthorn_domain::error_chain::error_chain;
use posthorn_timing::within;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error};

use crate::error::StoreError;

mod database;
mod encryption;
mod failure;
mod trust;
mod words;

pub(crate) use database::{Database, Driver};
pub(crate) use failure::no_connection;

/// How long an answer is waited for that needs no work.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for a connection of the pool to come free.
const POOL_TIMEOUT: Duration = Duration::from_secs(10);

/// A pool of connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool(deadpool_postgres::Pool);

impl Pool {
    /// Prepares a pool of at most `connections`; connects to nothing yet.
    pub(crate) fn new(url: &str, connections: usize) -> Result<Self, StoreError> {
        let database = Database::read(url)?;
        let timeouts = Timeouts {
            wait: Some(POOL_TIMEOUT),
            create: Some(database.patience()),
            recycle: Some(ANSWER_TIMEOUT),
        };
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(Config::new(), Connecting(database), manager_config);
        let pool = deadpool_postgres::Pool::builder(manager).max_size(connections).timeouts(timeouts);
        let pool = pool.runtime(Runtime::Tokio1).build();
        Ok(Self(pool.map_err(|error| StoreError::NoConnection(Box::new(error)))?))
    }

    pub(crate) async fn client(&self) -> Result<Object, StoreError> {
        self.0.get().await.map_err(failure::of_pool)
    }

    /// Whether the database answers and has our tables.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        let task = "look at the database";
        let client = self.client().await?;
        let asking = client.query_one("SELECT count(*) FROM (SELECT FROM webhooks LIMIT 1) AS found", &[]);
        let asking = async { asking.await.map(|_| ()).map_err(StoreError::query(task)) };
        within(ANSWER_TIMEOUT, asking, || StoreError::NoAnswer { task }).await
    }
}

/// Makes the pool's connections.
struct Connecting(Database);

impl Connect for Connecting {
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        Box::pin(async {
            let (client, driver) = self.0.connect().await?;
            #[expect(clippy::disallowed_methods, reason = "the pool ends it with the connection")]
            let driving = tokio::spawn(async move {
                if let Err(error) = driver.await {
                    tracing::debug!("a connection to PostgreSQL has ended: {}", error_chain(&error));
                }
            });
            Ok((client, driving))
        })
    }
}
