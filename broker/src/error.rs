//! Why the broker did not do what it was asked.

use std::{error::Error, time::Duration};

use lapin::{
    ErrorKind,
    protocol::{AMQPErrorKind, AMQPSoftError},
};
use posthorn_timing::within;

/// How long the broker may take to answer anything.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Waits for an answer of the broker.
pub(crate) async fn answered<T>(
    task: &'static str,
    asking: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    let asking = async { asking.await.map_err(BrokerError::amqp(task)) };
    within(ANSWER_TIMEOUT, asking, || BrokerError::NoAnswer { task }).await
}

/// Why the broker did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The setting is not an AMQP URL.
    #[error("POSTHORN_AMQP_URL is not an AMQP URL such as amqp://user:password@host:5672/vhost")]
    BadUrl,
    /// It did not answer in time.
    #[error("cannot {task}: RabbitMQ does not answer")]
    NoAnswer {
        /// What was being done.
        task: &'static str,
    },
    /// It refused.
    #[error("cannot {task}")]
    Amqp {
        /// What was being done.
        task: &'static str,
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Something of that name exists already and is not what it must be.
    #[error(
        "{what} exists already with other properties: {broker_says}. Delete it in RabbitMQ once it is \
         empty, or set another POSTHORN_PREFIX"
    )]
    Differs {
        /// Which queue or exchange.
        what: String,
        /// The broker's own words, which name the argument.
        broker_says: String,
    },
    /// A queue that should be there is not.
    #[error("the queue `{queue}` is missing")]
    Missing {
        /// Its name.
        queue: String,
    },
    /// The session is over; its reason has been logged.
    #[error("the session with RabbitMQ has ended")]
    SessionEnded,
}

impl BrokerError {
    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::BadUrl | Self::Differs { .. } => false,
            Self::NoAnswer { .. } | Self::Amqp { .. } | Self::Missing { .. } | Self::SessionEnded => true,
        }
    }

    pub(crate) fn amqp(task: &'static str) -> impl FnOnce(lapin::Error) -> Self {
        move |error| Self::Amqp { task, source: Box::new(error) }
    }
}

/// The reply text if the broker closed the channel because of a difference (406).
pub(crate) fn precondition_failed(error: &lapin::Error) -> Option<String> {
    soft_error(error, AMQPSoftError::PRECONDITIONFAILED)
}

/// The reply text if the broker closed the channel because something does not exist (404).
pub(crate) fn not_found(error: &lapin::Error) -> Option<String> {
    soft_error(error, AMQPSoftError::NOTFOUND)
}

fn soft_error(error: &lapin::Error, kind: AMQPSoftError) -> Option<String> {
    match error.kind() {
        ErrorKind::ProtocolError(error) if *error.kind() == AMQPErrorKind::Soft(kind) => {
            Some(error.get_message().to_string())
        }
        _ => None,
    }
}
