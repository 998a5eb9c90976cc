//! An installation of Posthorn for one test, with its own prefix, database and settings.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use posthorn_publisher::Publisher;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::{
    Event, Process, Servers,
    broker::Broker,
    cleanup,
    command::{self, Answer},
    database::Database,
    process::{ADMIN, API},
    servers::scratch,
};

/// Retries within seconds; five of them, as by default.
pub const SCHEDULE: &str = "300ms,300ms,600ms,600ms,900ms";

const SECRET_KEYS: &str = "test:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// The token that opens everything.
pub const ADMIN_TOKEN: &str = "pht_the-token-of-the-tests-that-opens-everything";

/// An installation of Posthorn. Dropping it removes what it made on the servers.
pub struct App {
    /// The prefix of its queues and exchanges.
    pub prefix: String,
    /// Its database.
    pub database: Database,
    /// A look into its broker.
    pub broker: Broker,
    /// The environment of its processes.
    pub settings: BTreeMap<String, String>,
    folder: PathBuf,
    started: AtomicUsize,
    publisher: OnceCell<Publisher>,
    on_private_servers: bool,
}

/// The three roles, each in a process of its own.
#[must_use = "roles stop when they are dropped"]
pub struct Roles {
    /// The only router.
    pub router: Process,
    /// The only dispatcher.
    pub dispatcher: Process,
    /// The only recorder.
    pub recorder: Process,
}

impl App {
    /// An installation on the shared servers, migrated, with no role running.
    pub async fn create() -> Self {
        Self::with(&[]).await
    }

    /// The same with some settings of its own.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::on(&Servers::shared(), settings).await
    }

    /// An installation on these servers, migrated, with no role running.
    pub async fn on(servers: &Servers, settings: &[(&str, &str)]) -> Self {
        let app = Self::unmigrated(servers, settings).await;
        app.run(&["migrate"]).await.success();
        app
    }

    /// An installation with an empty database.
    pub async fn unmigrated(servers: &Servers, settings: &[(&str, &str)]) -> Self {
        let name = format!("t{}", Uuid::now_v7().simple());
        let database = Database::create(&servers.database_url, &name).await;
        let folder = scratch().join(&name);
        fs::create_dir_all(&folder).expect("target/tmp is writable");
        Self {
            settings: environment(&name, servers, &database, settings),
            broker: Broker::new(&servers.amqp_url),
            prefix: name,
            database,
            folder,
            started: AtomicUsize::new(0),
            publisher: OnceCell::new(),
            on_private_servers: servers.are_private(),
        }
    }

    /// Starts router, dispatcher and recorder and waits until they are ready.
    pub async fn start(&self) -> Roles {
        let mut roles = Roles {
            router: self.spawn(&["router"]),
            dispatcher: self.spawn(&["dispatcher"]),
            recorder: self.spawn(&["recorder"]),
        };
        roles.router.ready().await;
        roles.dispatcher.ready().await;
        roles.recorder.ready().await;
        roles
    }

    /// Starts one role and waits until it is ready.
    pub async fn start_role(&self, role: &str) -> Process {
        let mut process = self.spawn(&[role]);
        process.ready().await;
        process
    }

    /// Starts a command without waiting for anything.
    pub fn spawn(&self, arguments: &[&str]) -> Process {
        Process::spawn(&self.process_name(arguments), &self.folder, &self.settings, arguments)
    }

    /// The same, with so many open files at most.
    pub fn spawn_with_files(&self, files: u32, arguments: &[&str]) -> Process {
        let name = self.process_name(arguments);
        Process::spawn_with_files(files, &name, &self.folder, &self.settings, arguments)
    }

    fn process_name(&self, arguments: &[&str]) -> String {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        format!("{number:02}-{}", arguments[0])
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Answer {
        command::run(&self.settings, arguments).await
    }

    /// Writes a file for a command to read and returns its path.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, content).expect("the test's folder is writable");
        path.to_str().expect("the test's folder is UTF-8").to_owned()
    }

    /// The publisher of this installation's events. The exchange must exist.
    pub async fn publisher(&self) -> Publisher {
        let connect = || async {
            let url = &self.settings["POSTHORN_AMQP_URL"];
            Publisher::connect(url, &self.prefix).await.expect("the broker runs")
        };
        self.publisher.get_or_init(connect).await.clone()
    }

    /// Publishes an event and waits for the broker's confirm.
    pub async fn publish(&self, event: &Event) {
        self.publisher().await.publish(event).await.expect("the broker confirms");
    }

    /// Publishes events at the same time and waits for all confirms.
    pub async fn publish_all(&self, events: &[Event]) {
        let publisher = self.publisher().await;
        let publish = events.iter().map(|event| publisher.publish(event));
        futures_util::future::try_join_all(publish).await.expect("the broker confirms");
    }

    /// The full name of a queue or exchange.
    pub fn name(&self, suffix: &str) -> String {
        format!("{}.{suffix}", self.prefix)
    }
}

fn environment(
    prefix: &str,
    servers: &Servers,
    database: &Database,
    own: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let log = std::env::var("POSTHORN_TEST_LOG").unwrap_or_else(|_| "info".to_owned());
    let common = [
        ("POSTHORN_AMQP_URL", servers.amqp_url.as_str()),
        ("POSTHORN_DATABASE_URL", &database.url),
        ("POSTHORN_PREFIX", prefix),
        ("POSTHORN_RETRY_SCHEDULE", SCHEDULE),
        ("POSTHORN_SECRET_KEYS", SECRET_KEYS),
        ("POSTHORN_ALLOW_NETWORKS", "127.0.0.1/32"),
        ("POSTHORN_ALLOW_HTTP", "true"),
        ("POSTHORN_ADMIN_ADDR", &format!("{ADMIN}:0")),
        ("POSTHORN_API_ADDR", &format!("{API}:0")),
        ("POSTHORN_ADMIN_TOKEN", ADMIN_TOKEN),
        ("POSTHORN_API_RATE", "100000"),
        ("POSTHORN_LOG", &log),
    ];
    common.iter().chain(own).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Drop for App {
    fn drop(&mut self) {
        if std::thread::panicking() {
            cleanup::show_logs(&self.folder);
        } else {
            let _ = fs::remove_dir_all(&self.folder);
        }
        if !self.on_private_servers {
            let delays = cleanup::retry_delays(&self.settings["POSTHORN_RETRY_SCHEDULE"]);
            cleanup::clean(&self.broker.url, &self.database, &self.prefix, &delays);
        }
    }
}
