//! `posthorn statistics`, over the management API.

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::commands::{
    asking::Asking,
    moment::Moment,
    show::{self, Column, column},
};

const COLUMNS: [Column; 10] = [
    column("at", "/at"),
    column("events", "/events"),
    column("accepted", "/accepted"),
    column("refused", "/refused"),
    column("gone", "/gone"),
    column("unreachable", "/unreachable"),
    column("interrupted", "/interrupted"),
    column("failed", "/failed"),
    column("p50 ms", "/latency_ms/p50"),
    column("p99 ms", "/latency_ms/p99"),
];

#[derive(Debug, Args)]
pub(crate) struct Statistics {
    /// The webhook's id, whk_… [default: all webhooks together]
    webhook: Option<String>,
    /// From when on: a time, or 2h for two hours ago [default: an hour before the end]
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Before when [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// By the minute or by the hour [default: by the minute for up to six hours]
    #[arg(long)]
    step: Option<Step>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Step {
    Minute,
    Hour,
}

impl Statistics {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let path = match &self.webhook {
            Some(webhook) => vec!["v1", "webhooks", webhook, "statistics"],
            None => vec!["v1", "statistics"],
        };
        let step = self.step.map(|step| match step {
            Step::Minute => "minute".to_owned(),
            Step::Hour => "hour".to_owned(),
        });
        let query = [
            ("since", self.since.map(|at| at.to_string())),
            ("until", self.until.map(|at| at.to_string())),
            ("step", step),
        ];
        self.asking.print_as(&self.asking.api()?.get(&path, &query).await?, people)
    }
}

/// Each step, and in the last row all of it.
fn people(statistics: &Value) {
    let mut total = statistics["total"].clone();
    total["at"] = "in all".into();
    show::table(statistics["data"].as_array().into_iter().flatten().chain([&total]), &COLUMNS);
}
