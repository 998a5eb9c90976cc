//! Why the database did not do what it was asked.

use posthorn_domain::id::WebhookId;
use tokio_postgres::error::SqlState;

use crate::connect::not_trusted;

/// Why the database did not do what it was asked.
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
    NoConnection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It did not answer in time.
    #[error("cannot {task}: PostgreSQL does not answer")]
    NoAnswer {
        /// What was being done.
        task: &'static str,
    },
    /// The tables are missing.
    #[error("the database has no Posthorn tables, or older ones: run `posthorn migrate`")]
    NotMigrated(#[source] tokio_postgres::Error),
    /// A query failed.
    #[error("cannot {task}")]
    Query {
        /// What was being done.
        task: &'static str,
        /// What PostgreSQL said.
        source: tokio_postgres::Error,
    },
    /// The migrations failed.
    #[error("cannot bring the database up to date")]
    Migration(#[source] refinery::Error),
    /// A row holds what this version cannot read.
    #[error("cannot read webhook {id}: {problem}")]
    Unreadable {
        /// Which webhook.
        id: WebhookId,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no such webhook.
    #[error("there is no webhook {0}")]
    UnknownWebhook(WebhookId),
    /// The webhook's state forbids it.
    #[error("webhook {id} is {state}: {advice}")]
    WrongState {
        /// Which webhook.
        id: WebhookId,
        /// The state it is in.
        state: String,
        /// What to do instead.
        advice: &'static str,
    },
}

impl StoreError {
    /// There is no connection: says whether the certificate was to blame in words of ours.
    pub(crate) fn no_connection(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        match not_trusted(&error) {
            Some(reason) => Self::NoConnection(Box::new(reason.clone())),
            None => Self::NoConnection(Box::new(error)),
        }
    }

    pub(crate) fn query(task: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Self {
        move |source| match source.code() {
            Some(code) if *code == SqlState::UNDEFINED_TABLE || *code == SqlState::UNDEFINED_COLUMN => {
                Self::NotMigrated(source)
            }
            _ => Self::Query { task, source },
        }
    }

    /// Whether the fault lies in the data given (SQLSTATE classes 22 and 23), so that trying again
    /// with the same data cannot help.
    pub fn is_about_the_data(&self) -> bool {
        match self {
            Self::Query { source, .. } => source
                .code()
                .is_some_and(|code| code.code().starts_with("22") || code.code().starts_with("23")),
            Self::BadUrl(_)
            | Self::Tls(_)
            | Self::NoConnection(_)
            | Self::NoAnswer { .. }
            | Self::NotMigrated(_)
            | Self::Migration(_)
            | Self::Unreadable { .. }
            | Self::UnknownWebhook(_)
            | Self::WrongState { .. } => false,
        }
    }
}
