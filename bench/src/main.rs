//! `posthorn-bench`: Posthorn measured against the bare broker, in ratios taken in one run.

mod ceiling;
mod comparisons;
mod event;
mod growth;
mod installation;
mod load;
mod mover;
mod plot;
mod receiver;
mod report;
mod run;
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
    system::Servers,
    usage::Watched,
};

/// The same as that of the binary under test.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure Posthorn against the bare broker; start it with `make bench`
#[derive(Debug, Parser)]
struct Bench {
    /// Measure only these comparisons (see --list)
    names: Vec<String>,
    /// List the comparisons
    #[arg(long)]
    list: bool,
    /// Measure how Posthorn grows with webhooks, dispatchers and payload instead (several minutes a run)
    #[arg(long, conflicts_with = "names")]
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
        comparisons::all()
            .iter()
            .for_each(|comparison| println!("{:18} {}", comparison.name, comparison.about));
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
        let wanted = self.wanted()?;
        let times =
            Times { warm_up: Duration::from_secs(2), measured: Duration::from_secs(self.seconds.into()) };
        let runner = Runner::new(self.servers(), times).await?;
        if self.growth {
            println!("{}", growth::measure(&runner, self.pairs.into(), &self.output).await?);
            return Ok(());
        }
        let sweep = match self.no_sweep {
            true => Vec::new(),
            false => sweep::measure(&runner).await?,
        };
        let mut compared = Vec::new();
        for comparison in wanted {
            compared.push(comparison.measure(&runner, self.pairs.into()).await?);
            report::write(&self.output, &compared, &sweep)?;
        }
        println!("{}", report::write(&self.output, &compared, &sweep)?);
        eprintln!("written to {}", self.output.display());
        Ok(())
    }

    fn wanted(&self) -> anyhow::Result<Vec<comparisons::Comparison>> {
        let all = comparisons::all();
        if let Some(unknown) =
            self.names.iter().find(|name| all.iter().all(|comparison| comparison.name != **name))
        {
            bail!("there is no comparison `{unknown}`: see --list");
        }
        let is_wanted = |name: &str| self.names.is_empty() || self.names.iter().any(|wanted| wanted == name);
        Ok(all.into_iter().filter(|comparison| is_wanted(comparison.name)).collect())
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
