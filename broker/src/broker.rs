//! The way to a session: connect, declare, and try again until it works.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lapin::uri::AMQPUri;
use posthorn_domain::error_chain::error_chain;
use posthorn_timing::Backoff;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{error::BrokerError, names::Names, session::Session};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A session that ended sooner has a fault that opening the next at once would only repeat.
const SHORT_SESSION: Duration = Duration::from_secs(2);
/// Seconds; twice this passes until a connection that went silent is given up.
const HEARTBEAT: u16 = 10;
/// Bytes of a frame. lapin makes room for 64 of them on each connection.
const FRAME_MAX: u32 = 16 << 10;
/// The same where messages of services come in. Their headers lie in one frame each, as large as the
/// broker takes from a publisher: 128 KiB if it is not told otherwise.
const PUBLISHERS_FRAME_MAX: u32 = 1 << 20;

/// Who opens a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Routes events.
    Router,
    /// Routes events that came back again and again, beside a router's own session.
    Suspects,
    /// Makes attempts.
    Dispatcher,
    /// Writes the journal to the database.
    Recorder,
    /// Publishes deliveries for requests.
    Api,
}

/// The kind of a webhook's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueType {
    /// Replicated and flushed to disk: survives a power cut.
    Quorum,
    /// About a third of the memory, for brokers with many thousands of webhooks.
    Classic,
}

/// Where the broker is and what is declared there. No `Debug`: the URL holds a password.
#[derive(Clone)]
pub struct Config {
    /// `amqp://` or `amqps://`, with user and password.
    pub url: String,
    /// The installation's names.
    pub names: Names,
    /// The kind of the webhooks' queues.
    pub queue_type: QueueType,
    /// The delays of the retry queues.
    pub retry_delays: Vec<Duration>,
}

/// Opens sessions and knows whether there is one.
pub struct Broker {
    config: Config,
    url: AMQPUri,
    current: Mutex<Option<Opened>>,
}

struct Opened {
    session: Arc<Session>,
    at: Instant,
}

impl Broker {
    /// Reads the configuration; connects to nothing yet.
    ///
    /// # Errors
    /// If the URL isn't one.
    pub fn new(config: Config) -> Result<Self, BrokerError> {
        let mut url = AMQPUri::from_str(&config.url).map_err(|_| BrokerError::BadUrl)?;
        url.query.heartbeat = url.query.heartbeat.or(Some(HEARTBEAT));
        Ok(Self { config, url, current: Mutex::new(None) })
    }

    /// The installation's names.
    pub fn names(&self) -> &Names {
        &self.config.names
    }

    /// Opens a session, trying again with growing pauses until it works. `None` once `stop` is cancelled.
    ///
    /// # Errors
    /// Only those that trying again cannot mend.
    pub async fn session(
        &self,
        role: Role,
        stop: &CancellationToken,
    ) -> Result<Option<Arc<Session>>, BrokerError> {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        if self.last_session_was_short() && stop.run_until_cancelled(sleep(SHORT_SESSION)).await.is_none() {
            return Ok(None);
        }
        loop {
            let Some(opened) = stop.run_until_cancelled(self.open(role)).await else { return Ok(None) };
            match opened {
                Ok(session) => return Ok(Some(session)),
                Err(error) if !error.is_transient() => return Err(error),
                Err(error) => {
                    let pause = backoff.pause(rand::random());
                    tracing::warn!(
                        "RabbitMQ at {} is not available ({}), trying again in {} ms",
                        self.address(),
                        error_chain(&error),
                        pause.as_millis()
                    );
                    if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Opens a session once, beside the one that tells whether there is one.
    ///
    /// # Errors
    /// If it doesn't work at once.
    pub async fn open_beside(&self, role: Role) -> Result<Arc<Session>, BrokerError> {
        Session::open(&self.url, &self.config, role).await
    }

    async fn open(&self, role: Role) -> Result<Arc<Session>, BrokerError> {
        let session = self.open_beside(role).await?;
        tracing::info!("connected to RabbitMQ at {}", self.address());
        *self.current() = Some(Opened { session: session.clone(), at: Instant::now() });
        Ok(session)
    }

    /// What keeps the broker from being used, in words; `None` if nothing does.
    pub fn missing(&self) -> Option<String> {
        let current = self.current();
        match current.as_ref().map(|opened| &opened.session).filter(|session| session.is_open()) {
            None => Some(match current.as_ref().and_then(|opened| opened.session.failure()) {
                Some(failure) => format!("no connection to RabbitMQ at {}: {failure}", self.address()),
                None => format!("no connection to RabbitMQ at {}", self.address()),
            }),
            Some(session) if session.is_blocked() => {
                Some("RabbitMQ accepts no messages: it has a memory or disk alarm".to_owned())
            }
            Some(_) => None,
        }
    }

    fn last_session_was_short(&self) -> bool {
        self.current().as_ref().is_some_and(|opened| opened.at.elapsed() < SHORT_SESSION)
    }

    fn current(&self) -> MutexGuard<'_, Option<Opened>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn address(&self) -> String {
        format!("{}:{}", self.url.authority.host, self.url.authority.port)
    }
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Suspects => "router of suspects",
            Self::Dispatcher => "dispatcher",
            Self::Recorder => "recorder",
            Self::Api => "api",
        }
    }

    /// Bytes of a frame on the connection that publishes, and on the one that consumes.
    pub(crate) fn frames(self) -> (u32, u32) {
        match self {
            Self::Router | Self::Suspects => (FRAME_MAX, PUBLISHERS_FRAME_MAX),
            Self::Dispatcher | Self::Recorder | Self::Api => (FRAME_MAX, FRAME_MAX),
        }
    }
}

impl QueueType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::Classic => "classic",
        }
    }
}

impl fmt::Display for QueueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for QueueType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "quorum" => Ok(Self::Quorum),
            "classic" => Ok(Self::Classic),
            other => Err(format!("`{other}` is not a queue type: use quorum or classic")),
        }
    }
}
