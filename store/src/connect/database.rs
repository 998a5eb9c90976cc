//! A database as its URL describes it.

use std::{path::Path, pin::pin, str::FromStr, time::Duration};

use posthorn_domain::error_chain::error_chain;
use posthorn_timing::within;
use tokio_postgres::{
    Client, Config, Connection, Error, Socket,
    config::{Host, SslMode},
    error::SqlState,
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{encryption::Encryption, failure::no_connection, trust::of_tls, words::Words};
use crate::error::StoreError;

/// How long a server is waited for, unless the URL says so.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server's machine may leave what was sent unacknowledged: keepalives don't count then.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(20);
/// Longer than any statement of ours takes; a dead server must not hold a task for ever.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Where the server's socket is, if no host is named, as Debian's client has it.
const SOCKETS: &str = "/var/run/postgresql";

/// What drives a connection.
pub(crate) type Driver = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// A database, ready to be connected to.
#[derive(Clone)]
pub(crate) struct Database {
    config: Config,
    encryption: Encryption,
    /// What is set in each session. It is not sent with the first message, since PgBouncer takes nothing
    /// of the kind there.
    settings: String,
}

impl Database {
    pub(crate) fn read(url: &str) -> Result<Self, StoreError> {
        let words = Words::of(url);
        let mut config =
            Config::from_str(&words.rest).map_err(|error| StoreError::BadUrl(error_chain(&error)))?;
        complete(&mut config);
        let mut encryption = Encryption::of(&words)?;
        if config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))) {
            encryption = encryption.on_sockets();
        }
        let settings = match says(&config, "statement_timeout") {
            true => String::new(),
            false => statement_timeout(STATEMENT_TIMEOUT),
        };
        Ok(Self { config, encryption, settings })
    }

    /// The same, where statements may take as long as they like.
    pub(crate) fn without_statement_timeout(self) -> Self {
        Self { settings: statement_timeout(Duration::ZERO), ..self }
    }

    /// Connects, in the time that the hosts have together.
    pub(crate) async fn connect_in_time(&self) -> Result<(Client, Driver), StoreError> {
        let connecting = async { self.connect().await.map_err(no_connection) };
        within(self.patience(), connecting, StoreError::silent).await
    }

    /// How long connecting may take: each of the hosts has its time.
    pub(crate) fn patience(&self) -> Duration {
        let each = self.config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        each * u32::try_from(self.config.get_hosts().len()).unwrap_or(1).max(1)
    }

    /// Connects and sets up the session.
    pub(crate) async fn connect(&self) -> Result<(Client, Driver), Error> {
        let first = self.connect_with(self.encryption.first).await;
        match (first, self.encryption.then) {
            (Err(error), Some(then)) if is_about_encryption(&error) => self.connect_with(then).await,
            (done, _) => done,
        }
    }

    async fn connect_with(&self, mode: SslMode) -> Result<(Client, Driver), Error> {
        let mut config = self.config.clone();
        let (client, mut driver) = config.ssl_mode(mode).connect(self.encryption.tls.clone()).await?;
        {
            let mut setting = pin!(client.batch_execute(&self.settings));
            tokio::select! {
                set = &mut setting => set?,
                ended = &mut driver => {
                    ended?;
                    setting.await?;
                }
            }
        }
        Ok((client, driver))
    }
}

/// Sets what the URL leaves open.
fn complete(config: &mut Config) {
    if config.get_hosts().is_empty() {
        let addresses: Vec<_> = config.get_hostaddrs().iter().map(ToString::to_string).collect();
        let otherwise = if Path::new(SOCKETS).exists() { SOCKETS } else { "localhost" };
        for host in if addresses.is_empty() { vec![otherwise.to_owned()] } else { addresses } {
            config.host(host);
        }
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_TIMEOUT);
    }
    if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
        config.keepalives_idle(Duration::from_secs(10));
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(Duration::from_secs(5));
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(3);
    }
    if config.get_application_name().is_none() && !says(config, "application_name") {
        config.application_name("posthorn");
    }
}

/// Whether the URL's `options` set this parameter.
fn says(config: &Config, parameter: &str) -> bool {
    config.get_options().is_some_and(|options| options.contains(parameter))
}

fn statement_timeout(timeout: Duration) -> String {
    format!("SET statement_timeout = {}", timeout.as_millis())
}

/// Whether a server may well take us with encryption, if it did not without, or the other way round.
fn is_about_encryption(error: &Error) -> bool {
    let refused = |code: &SqlState| *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
    error.code().map_or_else(|| of_tls(error).is_some(), refused)
}
