//! The store in its parts, by who uses them. Each is a handle of its own, cheap to clone: who needs one part
//! takes that part.

use std::sync::Arc;

use crate::{connect::Pool, error::StoreError, housekeeping::partitions::Partitions, recording::seen::Seen};

/// All parts of the store, on one pool of connections. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    /// Webhooks and their secrets.
    pub webhooks: Webhooks,
    /// History, as it is written.
    pub recorder: Recorder,
    /// History, as it is read.
    pub history: History,
    /// What there is to choose from.
    pub catalogue: Catalogue,
    /// Who may do what, and who did.
    pub access: Access,
    /// What is done in the background.
    pub background: Background,
    /// What people must be told.
    pub notifications: Notifications,
    /// What must be done once in a while.
    pub housekeeping: Housekeeping,
    pool: Pool,
}

/// Webhooks and their secrets, what they were, and their companies' quotas: for whoever manages them.
#[derive(Clone)]
pub struct Webhooks {
    pub(crate) pool: Pool,
}

/// Writes history: for recorders.
#[derive(Clone)]
pub struct Recorder {
    pub(crate) pool: Pool,
    pub(crate) partitions: Partitions,
    pub(crate) seen: Arc<Seen>,
}

/// Reads history: events, conflicts, deliveries, rejected messages, statistics.
#[derive(Clone)]
pub struct History {
    pub(crate) pool: Pool,
}

/// Event types, companies and projects, for people to choose from.
#[derive(Clone)]
pub struct Catalogue {
    pub(crate) pool: Pool,
}

/// Tokens, requests that are done once, and the audit log: for the management API.
#[derive(Clone)]
pub struct Access {
    pub(crate) pool: Pool,
}

/// Replays, and what was promised to be sent: for whoever asks for it, and for the workers that do it.
#[derive(Clone)]
pub struct Background {
    pub(crate) pool: Pool,
}

/// Notifications and mails that wait to be told: for recorders.
#[derive(Clone)]
pub struct Notifications {
    pub(crate) pool: Pool,
}

/// Partitions, retention, and what is left of deleted webhooks: for the janitor among recorders.
#[derive(Clone)]
pub struct Housekeeping {
    pub(crate) pool: Pool,
    pub(crate) partitions: Partitions,
}

impl Store {
    /// Prepares a pool of at most `connections`; connects to nothing yet.
    ///
    /// # Errors
    /// If the URL isn't one, or TLS cannot be prepared.
    pub fn new(url: &str, connections: usize) -> Result<Self, StoreError> {
        let pool = Pool::new(url, connections)?;
        let partitions = Partitions::new(pool.clone());
        Ok(Self {
            webhooks: Webhooks { pool: pool.clone() },
            recorder: Recorder { pool: pool.clone(), partitions: partitions.clone(), seen: Arc::default() },
            history: History { pool: pool.clone() },
            catalogue: Catalogue { pool: pool.clone() },
            access: Access { pool: pool.clone() },
            background: Background { pool: pool.clone() },
            notifications: Notifications { pool: pool.clone() },
            housekeeping: Housekeeping { pool: pool.clone(), partitions },
            pool,
        })
    }

    /// Whether the database answers and has our tables.
    ///
    /// # Errors
    /// What keeps it from being used.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.pool.check().await
    }
}
