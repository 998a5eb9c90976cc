//! `posthorn event publish`: ingestion over HTTP, one event or a file of them in batches.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::{
    client::{Answer, ApiError, Client},
    commands::{asking::Asking, read_input, show},
};

/// The most events of a batch that the API takes.
const MOST_EVENTS: usize = 1000;
/// The most bytes of a batch, below what the API takes by default.
const MOST_BYTES: usize = 4 << 20;

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// What happened, such as todo.created
    #[arg(long = "type", value_name = "TYPE", required_unless_present = "file", conflicts_with = "file")]
    event_type: Option<String>,
    /// Whose event it is
    #[arg(long, value_name = "ID", conflicts_with = "file")]
    company: Option<String>,
    /// In which project
    #[arg(long, value_name = "ID", conflicts_with = "file")]
    project: Option<String>,
    /// The event's data, a JSON object
    #[arg(long, default_value = "{}", value_name = "JSON", conflicts_with = "file")]
    data: String,
    /// The event's id; a fresh one without it
    #[arg(long, value_name = "ID", conflicts_with = "file")]
    id: Option<String>,
    /// A file of JSON lines, - for standard input:
    /// {"id"?, "type", "company_id"?, "project_id"?, "occurred_at"?, "data"}
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
}

/// A line of the file.
struct Line {
    number: usize,
    event: Box<RawValue>,
}

#[derive(Serialize)]
struct Batch<'a> {
    events: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Results {
    data: Vec<Item>,
}

/// What became of one event of a batch.
#[derive(Deserialize)]
struct Item {
    result: String,
    id: Option<String>,
    errors: Vec<Wrong>,
}

#[derive(Deserialize)]
struct Wrong {
    #[serde(default)]
    pointer: String,
    detail: String,
}

/// What became of all.
#[derive(Serialize)]
struct Summary {
    published: usize,
    events: usize,
    last_id: Option<String>,
}

impl Publish {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let api = self.asking.api()?;
        match &self.file {
            Some(file) => self.publish_lines(&api, &read_lines(&read_input(file)?)?).await,
            None => self.publish_one(&api).await,
        }
    }

    async fn publish_one(&self, api: &Client) -> anyhow::Result<()> {
        // Known before it is sent: to publish again after an unclear failure takes the same id.
        let id = self.id.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
        let published =
            api.post(&["v1", "events"], self.body(&id)?).await.map_err(|error| unclear(error, &id))?;
        self.asking.print_as(&published, |_| {
            println!("published {}, confirmed by RabbitMQ", show::harmless(&id));
        })
    }

    fn body(&self, id: &str) -> anyhow::Result<String> {
        let data: Box<RawValue> = serde_json::from_str(&self.data).context("--data is not JSON")?;
        let texts = [
            ("id", Some(id)),
            ("type", self.event_type.as_deref()),
            ("company_id", self.company.as_deref()),
            ("project_id", self.project.as_deref()),
        ];
        let texts = texts.into_iter().filter_map(|(field, text)| Some((field, to_raw_value(text?).ok()?)));
        let mut fields: BTreeMap<_, _> = texts.collect();
        fields.insert("data", data);
        Ok(serde_json::to_string(&fields)?)
    }

    async fn publish_lines(&self, api: &Client, lines: &[Line]) -> anyhow::Result<()> {
        let mut done = Summary { published: 0, events: lines.len(), last_id: None };
        for batch in batches(lines) {
            let body = Batch { events: batch.iter().map(|line| &*line.event).collect() };
            let answer = api.post(&["v1", "events:batch"], serde_json::to_string(&body)?).await;
            let answer = answer.with_context(|| {
                format!("{} of {} events were published before", done.published, done.events)
            })?;
            done.count(batch, answer.read::<Results>()?.data);
        }
        self.asking.print_as(&Answer::of(&done)?, |_| {
            println!("published {} of {} events, each confirmed by RabbitMQ", done.published, done.events);
        })?;
        match done.events - done.published {
            0 => Ok(()),
            missing => bail!("{missing} of {} events were not published", done.events),
        }
    }
}

impl Summary {
    /// Counts what became of a batch; what was not published is told at once.
    fn count(&mut self, batch: &[Line], items: Vec<Item>) {
        for (line, item) in batch.iter().zip(items) {
            if item.result == "published" {
                self.published += 1;
                self.last_id = item.id;
                continue;
            }
            let wrong: Vec<_> =
                item.errors.iter().map(|wrong| format!("{} {}", wrong.pointer, wrong.detail)).collect();
            let told = show::harmless(wrong.join("; ").trim());
            eprintln!("line {}: {}: {told}", line.number, item.result);
        }
    }
}

fn unclear(error: ApiError, id: &str) -> anyhow::Error {
    match error.is_temporary() {
        true => anyhow::Error::new(error).context(format!(
            "it is not clear whether the event was published: publish it again with --id {}",
            show::harmless(id)
        )),
        false => error.into(),
    }
}

fn read_lines(text: &str) -> anyhow::Result<Vec<Line>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let lines = lines.map(|(place, line)| {
        let number = place + 1;
        let event = serde_json::from_str(line).with_context(|| format!("line {number} is not JSON"))?;
        Ok(Line { number, event })
    });
    let lines: Vec<_> = lines.collect::<anyhow::Result<_>>()?;
    match lines.is_empty() {
        true => bail!("there are no events"),
        false => Ok(lines),
    }
}

/// The lines in as few batches as the API takes.
fn batches(mut lines: &[Line]) -> impl Iterator<Item = &[Line]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |line: &&Line| {
            bytes += line.event.get().len();
            bytes <= MOST_BYTES
        };
        let fitting = lines.iter().take(MOST_EVENTS).take_while(fits).count();
        let (batch, rest) = lines.split_at_checked(fitting.max(1))?;
        lines = rest;
        Some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_as_large_as_the_api_takes() {
        let line = |bytes: usize| Line {
            number: 1,
            event: to_raw_value(&"x".repeat(bytes.saturating_sub(2))).unwrap(),
        };
        let sizes = |lines: Vec<Line>| batches(&lines).map(<[Line]>::len).collect::<Vec<_>>();
        assert_eq!(sizes((0..2500).map(|_| line(9)).collect()), [1000, 1000, 500]);
        assert_eq!(sizes(vec![line(3 << 20), line(1 << 20), line(9)]), [2, 1]);
        assert_eq!(sizes(vec![line(5 << 20), line(9)]), [1, 1]);
        assert!(sizes(Vec::new()).is_empty());
    }
}
