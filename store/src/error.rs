//! Why the database did not do what it was asked.

use std::{fmt, time::Duration};

use posthorn_domain::{id::WebhookId, webhook::State};
use posthorn_timing::within;
use refinery::error::Kind;
use tokio_postgres::error::SqlState;

/// How long any answer may take.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Waits for an answer on a connection that is not of the pool, which bounds its own.
pub(crate) async fn answered<T>(
    task: &'static str,
    asking: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, StoreError> {
    let asking = async { asking.await.map_err(StoreError::query(task)) };
    within(ANSWER_TIMEOUT, asking, || StoreError::NoAnswer { task }).await
}

/// What the driver or a library said, in its own words: for people to read, not to be told apart by.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the database did not do what it was asked. Callers tell the cases apart; no type of a driver shows.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The setting is not a database URL.
    #[error(
        "POSTHORN_DATABASE_URL is not a PostgreSQL URL such as postgres://user:password@host/database: {0}"
    )]
    BadUrl(String),
    /// A certificate or a key is not there, or cannot be read.
    #[error("cannot prepare TLS for PostgreSQL: {0}")]
    Tls(String),
    /// No connection.
    #[error("no connection to PostgreSQL")]
    NoConnection(#[source] Cause),
    /// It did not answer in time.
    #[error("cannot {task}: PostgreSQL does not answer")]
    NoAnswer {
        /// What was being done.
        task: &'static str,
    },
    /// The tables are missing.
    #[error("the database has no Posthorn tables, or older ones: run `posthorn migrate`")]
    NotMigrated(#[source] Cause),
    /// A query failed.
    #[error("cannot {task}")]
    Query {
        /// What was being done.
        task: &'static str,
        /// What PostgreSQL said.
        source: Cause,
    },
    /// A query failed because of the values that it was given (SQLSTATE classes 22 and 23): with the same
    /// values it fails again.
    #[error("cannot {task}")]
    BadValue {
        /// What was being done.
        task: &'static str,
        /// What PostgreSQL said.
        source: Cause,
    },
    /// The migrations failed.
    #[error("cannot bring the database up to date")]
    Migration(#[source] Cause),
    /// The tables were made by other migrations than these.
    #[error(
        "another version of Posthorn has made the tables of this database: use that one, or an empty database"
    )]
    OtherTables(#[source] Cause),
    /// A row holds what this version cannot read.
    #[error("cannot read {what}: {problem}")]
    Unreadable {
        /// What the row is of, such as `webhook whk_…`.
        what: String,
        /// What is wrong with it; of a word that is not known, its column and the word.
        problem: String,
    },
    /// There is no such webhook.
    #[error("there is no webhook {0}")]
    UnknownWebhook(WebhookId),
    /// The webhook does not fit into a company's quota.
    #[error("company {} is over its quota: {} {}, at most {} are allowed", .0.company, .0.total, .0.what, .0.most)]
    OverQuota(OverQuota),
    /// The webhook's state forbids it.
    #[error("webhook {id} is {state}: {advice}")]
    WrongState {
        /// Which webhook.
        id: WebhookId,
        /// The state it is in.
        state: State,
        /// What to do instead.
        advice: &'static str,
    },
}

/// A quota that a webhook does not fit in any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverQuota {
    /// Whose.
    pub company: String,
    /// Of what, in words.
    pub what: &'static str,
    /// A stable name of that.
    pub label: &'static str,
    /// What it would come to.
    pub total: u64,
    /// What is allowed.
    pub most: u64,
}

impl StoreError {
    /// There is no connection, since the server says nothing.
    pub(crate) fn silent() -> Self {
        Self::NoConnection("it does not answer".into())
    }

    pub(crate) fn query(task: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Self {
        move |error| match error.code() {
            Some(code) if *code == SqlState::UNDEFINED_TABLE || *code == SqlState::UNDEFINED_COLUMN => {
                Self::NotMigrated(Box::new(error))
            }
            Some(code) if is_about_the_values(code) => Self::BadValue { task, source: Box::new(error) },
            Some(_) | None => Self::Query { task, source: Box::new(error) },
        }
    }

    /// A row of this cannot be read.
    pub(crate) fn unreadable(what: impl fmt::Display) -> impl FnOnce(String) -> Self {
        move |problem| Self::Unreadable { what: what.to_string(), problem }
    }

    pub(crate) fn of_migrations(error: refinery::Error) -> Self {
        match error.kind() {
            Kind::DivergentVersion(..) | Kind::MissingVersion(_) => Self::OtherTables(Box::new(error)),
            Kind::InvalidName
            | Kind::InvalidVersion
            | Kind::RepeatedVersion(_)
            | Kind::InvalidMigrationPath(..)
            | Kind::ConfigError(_)
            | Kind::Connection(..)
            | Kind::InvalidMigrationFile(..) => Self::Migration(Box::new(error)),
        }
    }

    /// Whether the fault lies in the data given, so that trying again with the same data cannot help.
    pub fn is_about_the_data(&self) -> bool {
        match self {
            Self::BadValue { .. } => true,
            Self::Query { .. }
            | Self::OtherTables(_)
            | Self::BadUrl(_)
            | Self::Tls(_)
            | Self::NoConnection(_)
            | Self::NoAnswer { .. }
            | Self::NotMigrated(_)
            | Self::Migration(_)
            | Self::Unreadable { .. }
            | Self::UnknownWebhook(_)
            | Self::OverQuota(_)
            | Self::WrongState { .. } => false,
        }
    }
}

/// SQLSTATE class 22 is a value that cannot be, class 23 one that a constraint refuses.
fn is_about_the_values(code: &SqlState) -> bool {
    code.code().starts_with("22") || code.code().starts_with("23")
}
