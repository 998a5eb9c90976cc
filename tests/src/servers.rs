//! The servers that the tests run on, and the binary that they test.
//!
//! Most tests share the servers of `make test`. A test that stops servers has private ones.

use std::{env, path::PathBuf, sync::Arc};

use uuid::Uuid;
use xtask::servers::{self, Connections};
pub use xtask::{binary, repository};

/// A broker and a Postgres.
pub struct Servers {
    /// Where the broker is.
    pub amqp_url: String,
    /// Some database of the Postgres.
    pub database_url: String,
    /// Ways to the Postgres, if tests of connections use it.
    connections: Option<Connections>,
    private: Option<Arc<servers::Servers>>,
    shares_broker: bool,
}

impl Servers {
    /// The servers that `make test` provides.
    pub fn shared() -> Self {
        Self {
            amqp_url: given("POSTHORN_AMQP_URL"),
            database_url: given("POSTHORN_DATABASE_URL"),
            connections: None,
            private: None,
            shares_broker: true,
        }
    }

    /// Servers for one test, which may stop and start them. They go when this is dropped.
    pub async fn private() -> Self {
        let private = private_folder();
        let settings = act(&private, servers::Servers::up).await;
        Self {
            amqp_url: settings.amqp_url.expect("the broker has a URL"),
            database_url: settings.database_url.expect("the database has a URL"),
            connections: None,
            private: Some(private),
            shares_broker: false,
        }
    }

    /// A PostgreSQL for one test, with TLS and a socket, and PgBouncer before it; the broker is shared.
    pub async fn of_connections() -> Self {
        let private = private_folder();
        let (settings, connections) = act(&private, servers::Servers::up_connections).await;
        Self {
            amqp_url: given("POSTHORN_AMQP_URL"),
            database_url: settings.database_url.expect("the database has a URL"),
            connections: Some(connections),
            private: Some(private),
            shares_broker: true,
        }
    }

    /// Ways to the Postgres of a test of connections.
    pub fn connections(&self) -> &Connections {
        self.connections.as_ref().expect("these servers were started for a test of connections")
    }

    /// Whether nobody else uses them.
    pub fn are_private(&self) -> bool {
        !self.shares_broker
    }

    /// Stops the broker as an operator would.
    pub async fn stop_broker(&self) {
        act(self.own(), servers::Servers::stop_broker).await;
    }

    /// Kills the broker.
    pub async fn kill_broker(&self) {
        act(self.own(), servers::Servers::kill_broker).await;
    }

    /// Starts the broker again and waits until it answers.
    pub async fn start_broker(&self) {
        act(self.own(), servers::Servers::start_broker).await;
    }

    /// Makes the stopped broker forget everything it held.
    pub fn wipe_broker(&self) {
        let data = self.own().folder().join("broker/data");
        std::fs::remove_dir_all(&data).unwrap_or_else(|error| panic!("{}: {error}", data.display()));
    }

    /// Stops Postgres, ending all sessions.
    pub async fn stop_postgres(&self) {
        act(self.own(), servers::Servers::stop_postgres).await;
    }

    /// Starts Postgres again and waits until it answers.
    pub async fn start_postgres(&self) {
        act(self.own(), servers::Servers::start_postgres).await;
    }

    /// Runs `rabbitmqctl` with these arguments on the broker.
    pub async fn control(&self, arguments: &[&str]) {
        let arguments: Vec<_> = arguments.iter().map(|word| (*word).to_owned()).collect();
        act(self.own(), move |servers| {
            servers.control(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
        })
        .await;
    }

    fn own(&self) -> &Arc<servers::Servers> {
        self.private.as_ref().expect("only private servers are stopped")
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let Some(private) = &self.private else { return };
        if let Err(error) = private.remove() {
            eprintln!("note: could not remove the servers in {}: {error:#}", private.folder().display());
        }
    }
}

/// Waits for what blocks, without holding up what else the test does.
async fn act<T: Send + 'static>(
    servers: &Arc<servers::Servers>,
    action: impl FnOnce(&servers::Servers) -> anyhow::Result<T> + Send + 'static,
) -> T {
    let servers = servers.clone();
    let done = tokio::task::spawn_blocking(move || action(&servers)).await;
    done.expect("no action panics").unwrap_or_else(|error| panic!("private servers: {error:#}"))
}

fn private_folder() -> Arc<servers::Servers> {
    let folder = scratch().join(format!("servers-{}", Uuid::now_v7().simple()));
    Arc::new(servers::Servers::of(&folder).expect("the folder has an absolute path"))
}

fn given(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make test`"))
}

/// A folder for what tests write.
pub fn scratch() -> PathBuf {
    xtask::target().join("tmp")
}
