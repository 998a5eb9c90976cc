//! A private RabbitMQ and PostgreSQL in a folder of their own.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::ensure;

use crate::{packages, say};

mod broker;
mod connections;
mod debian;
mod epmd;
mod given;
mod ports;
mod postgres;
mod settings;

use self::{broker::Broker, ports::Ports, postgres::Postgres};
pub use self::{
    connections::{Connections, provide as provide_connections},
    postgres::programs as postgres_programs,
    settings::{Settings, export, write_privately},
};

/// How long another command may be busy with the same servers.
const BUSY: Duration = Duration::from_secs(120);

/// The servers of a folder, whether they run or not. Ports and data stay the same when they come back.
#[derive(Debug)]
pub struct Servers {
    folder: PathBuf,
}

impl Servers {
    /// The servers of this folder.
    pub fn of(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self { folder: std::path::absolute(folder)? })
    }

    /// Their folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts both, or says that they run already.
    pub fn up(&self) -> anyhow::Result<Settings> {
        self.up_with(&Settings::default())
    }

    /// Starts those whose URLs the environment does not give.
    pub fn up_unless_given(&self) -> anyhow::Result<Settings> {
        self.up_with(&given::settings()?)
    }

    fn up_with(&self, given: &Settings) -> anyhow::Result<Settings> {
        let _lock = self.lock()?;
        let ports = self.choose_ports()?;
        let (broker, postgres) =
            (Broker::of(&self.folder, &ports), Postgres::of(&self.folder, ports.postgres));
        let mut launched = false;
        match given.amqp_url {
            Some(_) => say("RabbitMQ: using the given POSTHORN_AMQP_URL"),
            None => launched = broker.launch()?,
        }
        match given.database_url {
            Some(_) => say("PostgreSQL: using the given POSTHORN_DATABASE_URL"),
            None => postgres.start()?,
        }
        if launched {
            broker.wait()?; // it starts while PostgreSQL does
        }
        let settings = Settings {
            amqp_url: given.amqp_url.clone().or_else(|| Some(broker.url())),
            database_url: given.database_url.clone().or_else(|| Some(postgres.url())),
        };
        settings.write(&self.folder)?;
        Ok(settings)
    }

    /// Starts PostgreSQL alone, with TLS and a socket, and PgBouncer before it.
    pub fn up_connections(&self) -> anyhow::Result<(Settings, Connections)> {
        let _lock = self.lock()?;
        let ports = self.choose_ports()?;
        let postgres = Postgres::of(&self.folder, ports.postgres);
        let connections = connections::start(&postgres)?;
        let settings = Settings { amqp_url: None, database_url: Some(postgres.url()) };
        settings.write(&self.folder)?;
        Ok((settings, connections))
    }

    /// What leads to them.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        Settings::read(&self.folder)
    }

    /// Stops them; their data stays for the next start.
    pub fn down(&self) -> anyhow::Result<()> {
        if !self.folder.is_dir() {
            say(format!("nothing in {}", self.folder.display()));
            return Ok(());
        }
        let _lock = self.lock()?;
        let Some(ports) = Ports::read(&self.folder) else { return Ok(()) };
        let postgres = Postgres::of(&self.folder, ports.postgres);
        Broker::of(&self.folder, &ports).stop()?;
        connections::stop(&postgres)?;
        postgres.stop()?;
        Settings::forget(&self.folder)
    }

    /// Stops them and deletes their folder.
    pub fn remove(&self) -> anyhow::Result<()> {
        self.down()?;
        if self.folder.is_dir() {
            let postgres = Postgres::of(&self.folder, 0);
            connections::remove(&postgres)?;
            postgres.remove()?;
            fs::remove_dir_all(&self.folder)?;
        }
        Ok(())
    }

    /// Stops RabbitMQ as an operator would.
    pub fn stop_broker(&self) -> anyhow::Result<()> {
        self.with_broker(|broker| broker.stop())
    }

    /// Kills RabbitMQ.
    pub fn kill_broker(&self) -> anyhow::Result<()> {
        self.with_broker(|broker| broker.kill())
    }

    /// Starts RabbitMQ again and waits until it answers.
    pub fn start_broker(&self) -> anyhow::Result<()> {
        self.with_broker(|broker| if broker.launch()? { broker.wait() } else { Ok(()) })
    }

    /// Runs `rabbitmqctl` with these arguments.
    pub fn control(&self, arguments: &[&str]) -> anyhow::Result<()> {
        self.with_broker(|broker| broker.control(arguments))
    }

    /// Stops PostgreSQL: a fast shutdown, which ends all sessions.
    pub fn stop_postgres(&self) -> anyhow::Result<()> {
        let (_lock, ports) = self.started()?;
        Postgres::of(&self.folder, ports.postgres).stop()
    }

    /// Starts PostgreSQL again and waits until it answers.
    pub fn start_postgres(&self) -> anyhow::Result<()> {
        let (_lock, ports) = self.started()?;
        Postgres::of(&self.folder, ports.postgres).start()
    }

    /// The ids of RabbitMQ's and PostgreSQL's main processes, where they run.
    pub fn processes(&self) -> (Option<u32>, Option<u32>) {
        let Some(ports) = Ports::read(&self.folder) else { return (None, None) };
        (Broker::of(&self.folder, &ports).process(), Postgres::of(&self.folder, ports.postgres).process())
    }

    /// The ports that were chosen before, and of servers that don't run others where they are taken.
    fn choose_ports(&self) -> anyhow::Result<Ports> {
        let mut ports = Ports::read(&self.folder).unwrap_or_default();
        let broker = Broker::of(&self.folder, &ports);
        if broker.process().is_none() {
            broker.stop_epmd()?;
            ports.choose_for_broker()?;
        }
        if Postgres::of(&self.folder, ports.postgres).process().is_none() {
            ports.choose_for_postgres()?;
        }
        ports.write(&self.folder)?;
        Ok(ports)
    }

    fn with_broker(&self, act: impl FnOnce(&Broker<'_>) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let (_lock, ports) = self.started()?;
        act(&Broker::of(&self.folder, &ports))
    }

    fn started(&self) -> anyhow::Result<(File, Ports)> {
        let ports = Ports::read(&self.folder);
        ensure!(ports.is_some(), "no servers were started in {}", self.folder.display());
        Ok((self.lock()?, ports.expect("it was looked at")))
    }

    /// One command at a time.
    fn lock(&self) -> anyhow::Result<File> {
        packages::lock(&self.folder.join("lock"), BUSY)
    }
}
