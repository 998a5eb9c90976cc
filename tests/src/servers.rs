//! The servers that the tests run on, and the binary that they test.
//!
//! Most tests share the servers of `make test`. A test that stops servers has private ones, made by
//! `deploy/local/servers`.

use std::{
    env,
    path::{Path, PathBuf},
    process::Output,
};

use tokio::process::Command;
use uuid::Uuid;

/// A broker and a Postgres.
pub struct Servers {
    /// Where the broker is.
    pub amqp_url: String,
    /// Some database of the Postgres.
    pub database_url: String,
    folder: Option<PathBuf>,
    /// What the script prints about them.
    environment: String,
    shares_broker: bool,
}

impl Servers {
    /// The servers that `make test` provides.
    pub fn shared() -> Self {
        Self {
            amqp_url: given("POSTHORN_AMQP_URL"),
            database_url: given("POSTHORN_DATABASE_URL"),
            folder: None,
            environment: String::new(),
            shares_broker: true,
        }
    }

    /// Servers for one test, which may stop and start them. They go when this is dropped.
    pub async fn private() -> Self {
        let mut servers = Self::started("up", false).await;
        servers.amqp_url = servers.setting("POSTHORN_AMQP_URL");
        servers
    }

    /// A PostgreSQL for one test, with TLS and a socket, and PgBouncer before it; the broker is shared.
    pub async fn of_connections() -> Self {
        let mut servers = Self::started("up-connections", true).await;
        servers.amqp_url = given("POSTHORN_AMQP_URL");
        servers
    }

    async fn started(action: &str, shares_broker: bool) -> Self {
        let folder = scratch().join(format!("servers-{}", Uuid::now_v7().simple()));
        let mut servers = Self {
            amqp_url: String::new(),
            database_url: String::new(),
            folder: Some(folder),
            environment: String::new(),
            shares_broker,
        };
        servers.script(action).await;
        servers.environment = servers.script("env").await;
        servers.database_url = servers.setting("POSTHORN_DATABASE_URL");
        servers
    }

    /// What the script exports under this name.
    pub fn setting(&self, name: &str) -> String {
        exported(&self.environment, name)
    }

    /// Whether nobody else uses them.
    pub fn are_private(&self) -> bool {
        !self.shares_broker
    }

    /// Stops the broker as an operator would.
    pub async fn stop_broker(&self) {
        self.script("stop-broker").await;
    }

    /// Kills the broker.
    pub async fn kill_broker(&self) {
        self.script("kill-broker").await;
    }

    /// Starts the broker again and waits until it answers.
    pub async fn start_broker(&self) {
        self.script("start-broker").await;
    }

    /// Makes the stopped broker forget everything it held.
    pub fn wipe_broker(&self) {
        let data = self.private_folder().join("broker/data");
        std::fs::remove_dir_all(&data).unwrap_or_else(|error| panic!("{}: {error}", data.display()));
    }

    /// Stops Postgres, ending all sessions.
    pub async fn stop_postgres(&self) {
        self.script("stop-postgres").await;
    }

    /// Starts Postgres again and waits until it answers.
    pub async fn start_postgres(&self) {
        self.script("start-postgres").await;
    }

    /// Runs `rabbitmqctl` with these arguments on the broker.
    pub async fn control(&self, arguments: &[&str]) {
        self.script_with("control", arguments).await;
    }

    fn private_folder(&self) -> &Path {
        self.folder.as_deref().expect("only private servers are stopped")
    }

    async fn script(&self, action: &str) -> String {
        self.script_with(action, &[]).await
    }

    async fn script_with(&self, action: &str, arguments: &[&str]) -> String {
        let script = repository().join("deploy/local/servers");
        let run = Command::new(&script).arg(action).arg(self.private_folder()).args(arguments).output().await;
        let Output { status, stdout, stderr } =
            run.unwrap_or_else(|error| panic!("cannot run {}: {error}", script.display()));
        assert!(status.success(), "servers {action}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8_lossy(&stdout).into_owned()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let Some(folder) = &self.folder else { return };
        let script = repository().join("deploy/local/servers");
        let removed = std::process::Command::new(script).arg("remove").arg(folder).output();
        if !removed.is_ok_and(|output| output.status.success()) {
            eprintln!("note: could not remove the servers in {}", folder.display());
        }
    }
}

fn given(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make test`"))
}

/// The binary under test: `POSTHORN_BIN`, or that of the last debug build.
pub fn binary() -> PathBuf {
    env::var_os("POSTHORN_BIN").map_or_else(|| target().join("debug/posthorn"), PathBuf::from)
}

/// A folder for what tests write.
pub fn scratch() -> PathBuf {
    target().join("tmp")
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// The repository's folder.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder of the repository")
}

/// Reads a line `export NAME=value`, whose value the shell may have quoted with backslashes.
fn exported(environment: &str, name: &str) -> String {
    let prefix = format!("export {name}=");
    let value = environment.lines().find_map(|line| line.strip_prefix(&prefix));
    value.unwrap_or_else(|| panic!("no {name} in: {environment}")).replace('\\', "")
}
