//! One run: start a system, warm it up, measure, and see that nothing was lost.

use std::{
    collections::BTreeMap,
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::bail;
use lapin::Connection;
use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    load,
    receiver::Receiver,
    servers::{Servers, connect},
    setup::{Load, Setup},
    system::System,
    tally::{Latency, Tally},
    usage::{self, Usage, Watched},
};

/// After the last event, so much time for what is under way.
const DRAIN_WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

impl Times {
    /// Many webhooks need longer until each has had its first delivery.
    fn warm_up(self, webhooks: usize) -> Duration {
        self.warm_up * (1 + webhooks as u32 / 5000)
    }
}

/// What a run came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measurement {
    /// Deliveries to webhooks that accept.
    pub(crate) deliveries: u64,
    pub(crate) deliveries_per_second: f64,
    /// From the time an event was due to its arrival; says little under a closed load.
    pub(crate) latency_ms: Latency,
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    pub(crate) wrong: u64,
    /// Of each process while it was measured.
    pub(crate) usage: BTreeMap<String, Usage>,
    /// Of each process while there were no events.
    pub(crate) idle: BTreeMap<String, Usage>,
    pub(crate) commits_per_delivery: f64,
    /// From the start of each role until it was ready.
    pub(crate) ready_seconds: BTreeMap<String, f64>,
}

/// Makes runs, one after the other, on one set of servers.
pub(crate) struct Runner {
    servers: Servers,
    receiver: Receiver,
    connection: Connection,
    times: Times,
    runs: AtomicU32,
}

impl Runner {
    pub(crate) async fn new(servers: Servers, times: Times) -> anyhow::Result<Self> {
        let receiver = Receiver::start(crate::installation::secret()).await?;
        let connection = connect(&servers.amqp_url, "bench").await?;
        Ok(Self { servers, receiver, connection, times, runs: AtomicU32::new(0) })
    }

    pub(crate) async fn prepare(&self, setup: &Setup) -> anyhow::Result<System> {
        System::prepare(&self.servers, setup, &self.receiver).await
    }

    /// Makes one run on a prepared system and stops it.
    pub(crate) async fn run(&self, system: &mut System, setup: &Setup) -> anyhow::Result<Measurement> {
        let tally = Arc::new(Tally::new(self.runs.fetch_add(1, Relaxed) + 1, setup.clone()));
        self.receiver.count(Some(tally.clone()));
        let measured = match setup.load {
            Load::Closed { .. } | Load::Open { .. } => self.steady(system, &tally).await,
            Load::Backlog { deliveries } => self.backlog(system, &tally, deliveries).await,
        };
        self.receiver.count(None);
        system.stop().await?;
        measured
    }

    async fn steady(&self, system: &mut System, tally: &Arc<Tally>) -> anyhow::Result<Measurement> {
        let started = system.start().await?;
        let ready = started.into_iter().map(|started| (started.role.to_owned(), started.seconds)).collect();
        let idle = self.idle(system, tally.setup.idle_seconds).await;
        let stop = CancellationToken::new();
        let entrance = system.entrance();
        let publishing = load::publish(&self.connection, &entrance, tally, &stop);
        let measuring = async {
            let _stop = stop.clone().drop_guard();
            sleep(self.times.warm_up(tally.setup.webhooks)).await;
            let before = self.begin(system, tally).await?;
            sleep(self.times.measured).await;
            self.end(system, tally, before).await
        };
        let (published, measurement) = tokio::join!(publishing, measuring);
        let (published, mut measurement) = (published?, measurement?);
        wait_for(DRAIN_WITHIN, || tally.missing(published) == 0).await;
        measurement.lost = tally.missing(published);
        measurement.ready_seconds = ready;
        measurement.idle = idle;
        Ok(measurement)
    }

    async fn backlog(
        &self,
        system: &mut System,
        tally: &Arc<Tally>,
        deliveries: usize,
    ) -> anyhow::Result<Measurement> {
        system.start_routing().await?;
        let entrance = system.entrance();
        let published = load::publish(&self.connection, &entrance, tally, &CancellationToken::new()).await?;
        let channel = self.connection.create_channel().await?;
        let deadline = Instant::now() + DRAIN_WITHIN;
        while system.routed(&channel).await? < deliveries {
            if Instant::now() > deadline {
                bail!("the deliveries are not routed");
            }
            sleep(POLL).await;
        }
        system.start_delivering().await?;
        let before = self.begin(system, tally).await?;
        wait_for(DRAIN_WITHIN, || tally.accepted.load(Relaxed) >= deliveries as u64).await;
        let mut measurement = self.end(system, tally, before).await?;
        measurement.lost = tally.missing(published);
        Ok(measurement)
    }

    async fn idle(&self, system: &System, seconds: u64) -> BTreeMap<String, Usage> {
        if seconds == 0 {
            return BTreeMap::new();
        }
        let watched = self.watched(system);
        let before = usage::snapshot(&watched);
        sleep(Duration::from_secs(seconds)).await;
        usage::since(&before, &watched)
    }

    async fn begin(&self, system: &System, tally: &Tally) -> anyhow::Result<Before> {
        let commits = system.commits().await?;
        let usage = usage::snapshot(&self.watched(system));
        tally.measure(true);
        Ok(Before { at: Instant::now(), commits, usage })
    }

    async fn end(&self, system: &System, tally: &Tally, before: Before) -> anyhow::Result<Measurement> {
        tally.measure(false);
        let seconds = before.at.elapsed().as_secs_f64();
        let usage = usage::since(&before.usage, &self.watched(system));
        let deliveries = tally.measured.load(Relaxed);
        let commits = system.commits().await? - before.commits;
        Ok(Measurement {
            deliveries,
            deliveries_per_second: deliveries as f64 / seconds,
            latency_ms: tally.latency(),
            lost: 0,
            repeated: tally.repeated.load(Relaxed),
            wrong: tally.wrong.load(Relaxed),
            usage,
            idle: BTreeMap::new(),
            commits_per_delivery: commits as f64 / deliveries.max(1) as f64,
            ready_seconds: BTreeMap::new(),
        })
    }

    fn watched(&self, system: &System) -> Vec<Watched> {
        let bench = Watched { name: "bench".to_owned(), pid: process::id(), with_children: false };
        [system.processes(), self.servers.watched.clone(), vec![bench]].concat()
    }
}

struct Before {
    at: Instant,
    commits: i64,
    usage: usage::Snapshot,
}

async fn wait_for(most: Duration, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + most;
    while !is_so() && Instant::now() < deadline {
        sleep(POLL).await;
    }
}
