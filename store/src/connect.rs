//! Connections.

use std::{str::FromStr, sync::Arc, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{catalogue::Seen, error::StoreError, partitions::KnownDays};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server's machine may leave what was sent unacknowledged: keepalives don't count then.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long to wait for a connection of the pool to come free.
const POOL_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than any statement of ours takes; a dead server must not hold a task for ever.
const STATEMENT_TIMEOUT: &str = "-c statement_timeout=30000 -c application_name=posthorn";

/// A pool of connections. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) pool: Pool,
    pub(crate) known_days: Arc<KnownDays>,
    pub(crate) seen: Arc<Seen>,
}

impl Store {
    /// Prepares a pool of at most `connections`; connects to nothing yet.
    ///
    /// # Errors
    /// If the URL isn't one, or TLS cannot be prepared.
    pub fn new(url: &str, connections: usize) -> Result<Self, StoreError> {
        let config = read_config(url)?;
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, tls()?, manager_config);
        let timeouts = Timeouts {
            wait: Some(POOL_TIMEOUT),
            create: Some(CONNECT_TIMEOUT),
            recycle: Some(CONNECT_TIMEOUT),
        };
        let pool =
            Pool::builder(manager).max_size(connections).timeouts(timeouts).runtime(Runtime::Tokio1).build();
        let pool = pool.map_err(|error| StoreError::NoConnection(Box::new(error)))?;
        Ok(Self { pool, known_days: Arc::default(), seen: Arc::default() })
    }

    pub(crate) async fn client(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| StoreError::NoConnection(Box::new(error)))
    }

    /// Whether the database answers and has our tables.
    ///
    /// # Errors
    /// What keeps it from being used.
    pub async fn check(&self) -> Result<(), StoreError> {
        let task = "look at the database";
        let client = self.client().await?;
        let asking = client.query_one("SELECT count(*) FROM (SELECT FROM webhooks LIMIT 1) AS found", &[]);
        let asked = tokio::time::timeout(CONNECT_TIMEOUT, asking).await;
        asked.map_err(|_| StoreError::NoAnswer { task })?.map(|_| ()).map_err(StoreError::query(task))
    }
}

pub(crate) fn read_config(url: &str) -> Result<Config, StoreError> {
    let mut config = Config::from_str(url).map_err(StoreError::BadUrl)?;
    config.connect_timeout(CONNECT_TIMEOUT);
    config.keepalives_idle(Duration::from_secs(10));
    config.keepalives_interval(Duration::from_secs(5));
    config.keepalives_retries(3);
    config.tcp_user_timeout(SILENCE_TIMEOUT);
    if config.get_options().is_none() {
        config.options(STATEMENT_TIMEOUT);
    }
    Ok(config)
}

/// TLS that trusts the system's roots; used if the URL's `sslmode` asks for it or the server offers it.
pub(crate) fn tls() -> Result<MakeRustlsConnect, StoreError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Tls(error.to_string()))?;
    Ok(MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth()))
}
