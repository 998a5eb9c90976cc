//! The way to a session: connect, declare, and try again until it works.

use std::{
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lapin::uri::AMQPUri;
use posthorn_domain::error_chain::error_chain;
use posthorn_timing::Backoff;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, Role},
    error::BrokerError,
    session::Session,
};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A session that ended sooner has a fault that opening the next at once would only repeat.
const SHORT_SESSION: Duration = Duration::from_secs(2);
/// Seconds; twice this passes until a connection that went silent is given up.
const HEARTBEAT: u16 = 10;

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
