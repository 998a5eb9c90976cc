//! `posthorn-bench`: Posthorn measured against the bare broker, in ratios taken in one run.

mod catalogue;
mod ceiling;
mod comparisons;
mod entrance;
mod event;
mod growth;
mod installation;
mod load;
mod mover;
mod plot;
mod receiver;
mod report;
mod run;
mod servers;
mod setup;
mod sweep;
mod system;
mod tally;
mod usage;

use std::{path::PathBuf, time::Duration};

use anyhow::bail;
use clap::Parser;

use crate::{
    run::{Runner, Times},
    servers::Servers,
    usage::Watched,
};

/// The same as that of the binary under test.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measure Posthorn against the bare broker; start it with `make bench`
#[derive(Debug, Parser)]
struct Bench {
    /// Measure only these comparisons, or these curves of --growth (see --list)
    names: Vec<String>,
    /// List the comparisons, or with --growth the curves
    #[arg(long)]
    list: bool,
    /// Measure how Posthorn grows with webhooks, dispatchers and payload instead
    #[arg(long)]
    growth: bool,
    /// Pairs of runs for each comparison; runs for each step of --growth
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u16).range(1..=100))]
    pairs: u16,
    /// Seconds that each run is measured
    #[arg(long, default_value = "6", value_parser = clap::value_parser!(u16).range(1..=600))]
    seconds: u16,
    /// Leave the latencies at growing rates, and so the plot, out
    #[arg(long)]
    no_sweep: bool,
    /// Where the tables, results.json and the plots go
    #[arg(long, default_value = "target/bench", value_name = "FOLDER")]
    output: PathBuf,
    /// The posthorn binary
    #[arg(long, default_value = "target/release/posthorn", value_name = "FILE")]
    binary: PathBuf,
    /// RabbitMQ
    #[arg(long, env = "POSTHORN_AMQP_URL", hide_env_values = true, value_name = "URL")]
    amqp_url: String,
    /// PostgreSQL; the benchmark makes databases of its own
    #[arg(long, env = "POSTHORN_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: String,
    /// Be the ceiling's process: the benchmark starts itself so
    #[arg(long, hide = true, value_name = "ORDER")]
    ceiling: Option<String>,
    /// The broker's process, to tell what it uses
    #[arg(long, env = "POSTHORN_BENCH_BROKER_PID", value_name = "PID")]
    broker_pid: Option<u32>,
    /// The database's process, to tell what it uses
    #[arg(long, env = "POSTHORN_BENCH_POSTGRES_PID", value_name = "PID")]
    postgres_pid: Option<u32>,
}

fn main() -> anyhow::Result<()> {
    let bench = Bench::parse();
    if bench.list {
        bench.catalogue().iter().for_each(|(name, about)| println!("{name:18} {about}"));
        return Ok(());
    }
    rlimit::increase_nofile_limit(u64::MAX)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(bench.run())
}

impl Bench {
    async fn run(self) -> anyhow::Result<()> {
        if let Some(order) = &self.ceiling {
            return serde_json::from_str::<mover::Order>(order)?.carry_out(&self.amqp_url).await;
        }
        let unknown = |name: &&String| self.catalogue().iter().all(|(known, _)| known != name);
        if let Some(unknown) = self.names.iter().find(unknown) {
            bail!("there is no `{unknown}`: see --list");
        }
        let times =
            Times { warm_up: Duration::from_secs(2), measured: Duration::from_secs(self.seconds.into()) };
        let runner = Runner::new(self.servers(), times).await?;
        let markdown = match self.growth {
            true => self.grow(&runner).await?,
            false => self.compare(&runner).await?,
        };
        println!("{markdown}");
        eprintln!("written to {}", self.output.display());
        Ok(())
    }

    async fn grow(&self, runner: &Runner) -> anyhow::Result<String> {
        let curves: Vec<_> =
            growth::curves().into_iter().filter(|curve| self.is_wanted(curve.name)).collect();
        growth::measure(runner, &curves, self.pairs.into(), &self.output).await
    }

    async fn compare(&self, runner: &Runner) -> anyhow::Result<String> {
        let sweep = match self.no_sweep {
            true => Vec::new(),
            false => sweep::measure(runner).await?,
        };
        let mut compared = Vec::new();
        for comparison in catalogue::all().into_iter().filter(|one| self.is_wanted(one.name)) {
            compared.push(comparison.measure(runner, self.pairs.into()).await?);
            report::write(&self.output, &compared, &sweep)?;
        }
        report::write(&self.output, &compared, &sweep)
    }

    /// What can be measured, with its name.
    fn catalogue(&self) -> Vec<(&'static str, &'static str)> {
        match self.growth {
            true => growth::curves().iter().map(|curve| (curve.name, curve.about)).collect(),
            false => catalogue::all().iter().map(|one| (one.name, one.about)).collect(),
        }
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }

    fn servers(&self) -> Servers {
        let named = [("rabbitmq", self.broker_pid), ("postgres", self.postgres_pid)];
        let watched = named.into_iter().filter_map(|(name, pid)| {
            Some(Watched { name: name.to_owned(), pid: pid?, with_children: true })
        });
        Servers {
            amqp_url: self.amqp_url.clone(),
            database_url: self.database_url.clone(),
            binary: self.binary.clone(),
            watched: watched.collect(),
        }
    }
}
