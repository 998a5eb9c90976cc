//! `posthorn publish`: events from flags or from a file of JSON lines.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use clap::Args;
use futures_util::{StreamExt, stream::FuturesUnordered};
use posthorn_domain::{event::Event, moment::Moment};
use posthorn_matching::event_type::{RESERVED, is_reserved};
use posthorn_publisher::{
    Publisher,
    v1::{self, event::Data},
};
use prost::Message;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::{commands::read_input, settings::BrokerSettings};

const MOST_IN_FLIGHT: usize = 1000;

/// One event from flags, or many from a file of JSON lines.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// What happened, such as todo.created
    #[arg(long = "type", value_name = "TYPE", required_unless_present = "file", conflicts_with = "file")]
    event_type: Option<String>,
    /// Whose event it is
    #[arg(long, default_value = "", value_name = "ID", conflicts_with = "file")]
    company: String,
    /// In which project
    #[arg(long, default_value = "", value_name = "ID", conflicts_with = "file")]
    project: String,
    /// The event's data, a JSON object
    #[arg(long, default_value = "{}", value_name = "JSON", conflicts_with = "file")]
    data: String,
    /// The event's id; a fresh one without it
    #[arg(long, value_name = "ID", conflicts_with_all = ["file", "count"])]
    id: Option<String>,
    /// A file of JSON lines, - for standard input:
    /// {"id"?, "type", "company_id"?, "project_id"?, "occurred_at"?, "data"}
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Publish this many in all, going round the given events, each with a fresh id
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Publish at this constant rate per second instead of as fast as possible
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: BrokerSettings,
}

/// A line of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: Option<String>,
    r#type: String,
    #[serde(default)]
    company_id: String,
    #[serde(default)]
    project_id: String,
    occurred_at: Option<Moment>,
    data: Box<RawValue>,
}

impl Publish {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let lines = self.lines()?;
        check(&lines)?;
        if self.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            bail!("--rate is a number above 0");
        }
        let publisher = Publisher::connect(&self.broker.url()?, &self.broker.prefix).await?;
        let count = self.count.unwrap_or(lines.len() as u64);
        let started = Instant::now();
        let (published, last_id) = self.publish(&publisher, &lines, count, started).await?;
        let seconds = started.elapsed().as_secs_f64();
        if self.json {
            let per_second = published as f64 / seconds;
            let last = serde_json::json!({"published": published, "seconds": seconds, "per_second": per_second, "last_id": last_id});
            println!("{last}");
        } else if (published, count) == (1, 1) {
            println!("published {last_id}, confirmed by RabbitMQ");
        } else if published > 0 {
            println!("published {published} of {count} events in {seconds:.2} s, each confirmed by RabbitMQ");
        }
        match published == count {
            true => Ok(()),
            false => bail!("{} of {count} events were not confirmed", count - published),
        }
    }

    /// Publishes; tells how many were confirmed, and the last one's id.
    async fn publish(
        &self,
        publisher: &Publisher,
        lines: &[Line],
        count: u64,
        started: Instant,
    ) -> anyhow::Result<(u64, String)> {
        let mut waiting = FuturesUnordered::new();
        let mut confirmed = 0;
        let mut last_id = String::new();
        let mut settle = |result: Result<(), posthorn_publisher::PublishError>| match result {
            Ok(()) => confirmed += 1,
            Err(error) => tracing::error!("{error}"),
        };
        for number in 0..count {
            if let Some(rate) = self.rate {
                let due = started + Duration::from_secs_f64(number as f64 / rate);
                loop {
                    tokio::select! {
                        () = sleep_until(due) => break,
                        Some(result) = waiting.next(), if !waiting.is_empty() => settle(result),
                    }
                }
            }
            let event = lines[(number % lines.len() as u64) as usize].event(self.count.is_some());
            last_id.clone_from(&event.id);
            waiting.push(async move { publisher.publish(&event).await });
            while waiting.len() >= MOST_IN_FLIGHT {
                if let Some(result) = waiting.next().await {
                    settle(result);
                }
            }
        }
        while let Some(result) = waiting.next().await {
            settle(result);
        }
        Ok((confirmed, last_id))
    }

    fn lines(&self) -> anyhow::Result<Vec<Line>> {
        let Some(file) = &self.file else {
            let object: Value = serde_json::from_str(&self.data).context("--data is not JSON")?;
            if !object.is_object() {
                bail!("--data is not a JSON object");
            }
            return Ok(vec![Line {
                id: self.id.clone(),
                r#type: self.event_type.clone().unwrap_or_default(),
                company_id: self.company.clone(),
                project_id: self.project.clone(),
                occurred_at: None,
                data: RawValue::from_string(self.data.clone())?,
            }]);
        };
        let text = read_input(file)?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let lines = lines.map(|(position, line)| {
            serde_json::from_str(line).with_context(|| format!("line {} is not an event", position + 1))
        });
        let lines: Vec<Line> = lines.collect::<anyhow::Result<_>>()?;
        if lines.is_empty() {
            bail!("{} holds no events", file.display());
        }
        Ok(lines)
    }
}

/// Refuses what the router would reject.
fn check(lines: &[Line]) -> anyhow::Result<()> {
    for (position, line) in lines.iter().enumerate() {
        let message = line.event(false).encode_to_vec().into();
        let event = Event::decode(&message, usize::MAX)
            .with_context(|| format!("event {} would be rejected", position + 1))?;
        if is_reserved(&event.event_type) {
            bail!(
                "event {} would be rejected: types that begin with {RESERVED} are Posthorn's own",
                position + 1
            );
        }
    }
    Ok(())
}

impl Line {
    fn event(&self, fresh_id: bool) -> v1::Event {
        let given = self.id.clone().filter(|_| !fresh_id);
        v1::Event {
            id: given.unwrap_or_else(|| Uuid::now_v7().to_string()),
            r#type: self.r#type.clone(),
            company_id: self.company_id.clone(),
            project_id: self.project_id.clone(),
            occurred_at: Some(self.occurred_at.map_or_else(now, |at| {
                let (seconds, nanos) = at.parts();
                prost_types::Timestamp { seconds, nanos }
            })),
            data: Some(Data::Json(self.data.get().to_owned().into())),
        }
    }
}

fn now() -> prost_types::Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    prost_types::Timestamp { seconds: since_epoch.as_secs() as i64, nanos: since_epoch.subsec_nanos() as i32 }
}
