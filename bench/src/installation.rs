//! An installation of Posthorn with its webhooks: the real binary, a process for each role.

use std::{
    collections::BTreeMap,
    fs::File,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use posthorn_domain::{
    id::WebhookId,
    keyring::{self, KeyRing},
    retry::RetryPolicy,
    signature::Secret,
    webhook::DisablePolicy,
};
use posthorn_matching::rule::Rule;
use posthorn_store::{Actor, NewWebhook, Store};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};
use uuid::Uuid;

use crate::{
    entrance::{Entrance, project},
    event,
    receiver::Hosts,
    servers::{Servers, connect, delete_queues},
    setup::{IN_FLIGHT, Setup, TIMEOUT},
    usage::Watched,
};

const READY_WITHIN: Duration = Duration::from_secs(600);
/// Exchanges that have a queue of their name, besides those of the schedule.
const PAIRS: [&str; 6] =
    ["orphans", "journal", "batches", "suspects.events", "suspects.deliveries", "quarantine"];
const SCHEDULE: &str = "5s,5m,30m,2h,8h";

/// Posthorn on the servers, in a database of its own.
pub(crate) struct Installation {
    servers: Servers,
    setup: Setup,
    name: String,
    database_url: String,
    keys: String,
    webhooks: Vec<WebhookId>,
    roles: Vec<Role>,
    logs: PathBuf,
}

struct Role {
    name: &'static str,
    child: Child,
    admin: SocketAddr,
    log: PathBuf,
    started: Instant,
}

/// How long a role took until it was ready.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    pub(crate) role: &'static str,
    pub(crate) seconds: f64,
}

/// The secret of every webhook.
pub(crate) fn secret() -> Secret {
    Secret::new([7; 32])
}

impl Installation {
    pub(crate) async fn prepare(servers: &Servers, setup: &Setup, receiver: Hosts) -> anyhow::Result<Self> {
        let name = format!("bench_{}", Uuid::now_v7().simple());
        let mut url: url::Url = servers.database_url.parse().context("POSTHORN_DATABASE_URL")?;
        execute(&servers.database_url, &format!("CREATE DATABASE {name}")).await?;
        url.set_path(&name);
        let mut installation = Self {
            servers: servers.clone(),
            setup: setup.clone(),
            name,
            database_url: url.to_string(),
            keys: keyring::entry("bench", [9; 32]),
            webhooks: (0..setup.webhooks).map(|_| WebhookId(Uuid::now_v7())).collect(),
            roles: Vec::new(),
            logs: std::env::temp_dir(),
        };
        let migrated = installation.command("migrate").status().await?;
        ensure!(migrated.success(), "posthorn migrate failed");
        installation.add_webhooks(receiver).await?;
        installation.logs = installation.servers.binary.with_file_name("bench-logs");
        std::fs::create_dir_all(&installation.logs)?;
        Ok(installation)
    }

    async fn add_webhooks(&self, receiver: Hosts) -> anyhow::Result<()> {
        let store = Store::new(&self.database_url, 8)?;
        let keys: KeyRing = self.keys.parse().map_err(|error| anyhow::anyhow!("{error}"))?;
        let added = stream::iter(self.webhooks.iter().enumerate()).map(Ok).try_for_each_concurrent(
            8,
            async |(position, id)| {
                let sealed = keys.seal(&secret(), *id, rand::random());
                let webhook = self.webhook(position, *id, receiver)?;
                store.webhooks.add(&webhook, &sealed, None, &Actor::command("webhook.create")).await?;
                anyhow::Ok(())
            },
        );
        added.await
    }

    fn webhook(&self, position: usize, id: WebhookId, receiver: Hosts) -> anyhow::Result<NewWebhook> {
        let group = position % self.setup.groups();
        let event_types = Some(vec![event::TYPE.parse()?]);
        let companies = (self.setup.of_tenant > 0).then(|| vec![self.setup.company(group).to_owned()]);
        let rule = Rule { event_types, companies, projects: Some(vec![project(group)]), ..Rule::default() };
        Ok(NewWebhook {
            id,
            name: format!("webhook {position}"),
            url: format!(
                "http://{}/{}/{position}",
                receiver.of(position),
                self.setup.manner(position).path()
            ),
            rules: vec![rule],
            timeout: TIMEOUT,
            max_in_flight: IN_FLIGHT,
            disable_policy: DisablePolicy::Exhausted,
            description: String::new(),
            http2: false,
            headers: Default::default(),
            metadata: BTreeMap::new(),
            contact: None,
        })
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.servers.binary);
        command
            .arg(subcommand)
            .env("POSTHORN_AMQP_URL", &self.servers.amqp_url)
            .env("POSTHORN_DATABASE_URL", &self.database_url)
            .env("POSTHORN_PREFIX", &self.name)
            .env("POSTHORN_SECRET_KEYS", &self.keys)
            .env("POSTHORN_RETRY_SCHEDULE", SCHEDULE)
            .env("POSTHORN_QUEUE_TYPE", self.setup.queue_type.name())
            .env("POSTHORN_ALLOW_NETWORKS", "127.0.0.0/8")
            .env("POSTHORN_ALLOW_HTTP", "true")
            .env("POSTHORN_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub(crate) fn dispatchers(&self) -> Vec<&'static str> {
        vec!["dispatcher"; self.setup.dispatchers]
    }

    /// Starts these roles at once and waits until all are ready.
    pub(crate) async fn start(&mut self, names: &[&'static str]) -> anyhow::Result<Vec<Started>> {
        let first = self.roles.len();
        for name in names {
            let role = self.spawn(name)?;
            self.roles.push(role);
        }
        let mut started = Vec::new();
        for role in &mut self.roles[first..] {
            role.ready().await?;
            started.push(Started { role: role.name, seconds: role.started.elapsed().as_secs_f64() });
        }
        Ok(started)
    }

    fn spawn(&self, name: &'static str) -> anyhow::Result<Role> {
        let admin = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = self.logs.join(format!("{}-{name}-{}.log", self.name, self.roles.len()));
        let child = self
            .command(name)
            .env("POSTHORN_ADMIN_ADDR", admin.to_string())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot run {}", self.servers.binary.display()))?;
        Ok(Role { name, child, admin, log, started: Instant::now() })
    }

    pub(crate) fn entrance(&self) -> Entrance {
        Entrance { exchange: self.named("events"), routing_key: event::TYPE.to_owned() }
    }

    /// The full name of an exchange or a queue of ARCHITECTURE.md's table.
    fn named(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    fn webhook_queues(&self) -> Vec<String> {
        self.webhooks.iter().map(|id| self.named(&format!("webhook.{id}"))).collect()
    }

    /// How many deliveries the routers have sent in delivery batches.
    pub(crate) async fn routed(&self) -> anyhow::Result<usize> {
        let mut sum = 0.0;
        for role in self.roles.iter().filter(|role| role.name == "router") {
            let metrics = get(role.admin, "/metrics").await?;
            let value =
                metrics.lines().find_map(|line| line.strip_prefix("posthorn_deliveries_routed_total "));
            sum += value.map_or(Ok(0.0), str::parse::<f64>)?;
        }
        Ok(sum as usize)
    }

    pub(crate) fn processes(&self) -> Vec<Watched> {
        let pid = |role: &Role| role.child.id();
        self.roles
            .iter()
            .filter_map(|role| {
                Some(Watched { name: role.name.to_owned(), pid: pid(role)?, with_children: false })
            })
            .collect()
    }

    pub(crate) async fn commits(&self) -> anyhow::Result<i64> {
        let query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
        let (client, connection) = tokio_postgres::connect(&self.database_url, tokio_postgres::NoTls).await?;
        tokio::select! {
            row = client.query_one(query, &[]) => Ok(row?.get(0)),
            closed = connection => bail!("PostgreSQL closed the connection: {closed:?}"),
        }
    }

    /// Ends all roles at once. What they were doing comes back, and is not missed.
    pub(crate) async fn stop(&mut self) {
        for mut role in self.roles.drain(..) {
            // One that has ended by itself is dead all the same.
            let _ = role.child.kill().await;
        }
    }

    pub(crate) async fn remove(self) -> anyhow::Result<()> {
        let connection = connect(&self.servers.amqp_url, "bench clean-up").await?;
        let channel = connection.create_channel().await?;
        let schedule: RetryPolicy = SCHEDULE.parse().map_err(|error| anyhow::anyhow!("{error}"))?;
        let retries = schedule.queue_delays().into_iter().map(|delay| format!("retry.{}", delay.as_millis()));
        let pairs: Vec<_> = PAIRS.iter().map(|name| (*name).to_owned()).chain(retries).collect();
        for exchange in pairs.iter().map(String::as_str).chain(["events", "deliveries"]) {
            channel.exchange_delete(self.named(exchange).into(), Default::default()).await?;
        }
        let mut queues = self.webhook_queues();
        queues.extend(pairs.iter().map(String::as_str).chain(["router"]).map(|queue| self.named(queue)));
        delete_queues(&channel, queues).await?;
        execute(&self.servers.database_url, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }
}

impl Role {
    async fn ready(&mut self) -> anyhow::Result<()> {
        let waiting = async {
            while !is_ready(self.admin).await {
                if self.child.try_wait()?.is_some() {
                    bail!("{} has ended: see {}", self.name, self.log.display());
                }
                sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        let ready = timeout(READY_WITHIN, waiting).await;
        ready.with_context(|| format!("{} does not become ready: see {}", self.name, self.log.display()))?
    }
}

async fn is_ready(admin: SocketAddr) -> bool {
    get(admin, "/readyz").await.is_ok_and(|answer| answer.starts_with("HTTP/1.0 200"))
}

async fn get(admin: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(admin).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn execute(database_url: &str, sql: &str) -> anyhow::Result<()> {
    let (client, connection) = tokio_postgres::connect(database_url, tokio_postgres::NoTls).await?;
    tokio::select! {
        done = client.batch_execute(sql) => done.with_context(|| sql.to_owned()),
        closed = connection => bail!("PostgreSQL closed the connection: {closed:?}"),
    }
}
