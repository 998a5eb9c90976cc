//! `posthorn rejected …`, over the management API: messages that are no events.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::commands::{
    asking::{Asking, Listing},
    read_input,
    show::{self, Column, column},
};

const COLUMNS: [Column; 6] = [
    column("id", "/id"),
    column("rejected", "/rejected_at"),
    column("field", "/field"),
    column("reason", "/reason"),
    column("message id", "/message_id"),
    column("resolution", "/resolution"),
];

/// The most hexadecimal digits that people are shown.
const MOST_DIGITS: usize = 256;

#[derive(Debug, Subcommand)]
pub(crate) enum RejectedCommand {
    /// List messages that are no events, the latest first
    List(List),
    /// Show one with its bytes
    Show(One),
    /// Publish one after repair, or as it is if it is an event by now
    Publish(Publish),
    /// Discard one; it stays in the list until POSTHORN_RETENTION is over
    Discard(One),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those that nobody has looked after
    #[arg(long, conflicts_with = "resolved")]
    open: bool,
    /// Only those that were published or discarded
    #[arg(long)]
    resolved: bool,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// Its id, rej_…
    id: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    #[command(flatten)]
    one: One,
    /// A file with the repaired event as JSON, - for standard input:
    /// {"id"?, "type", "company_id"?, "project_id"?, "occurred_at"?, "data"}
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
}

impl RejectedCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run().await,
            Self::Show(one) => one.show().await,
            Self::Publish(publish) => publish.run().await,
            Self::Discard(one) => {
                one.asking.api()?.act(&["v1", "rejected-events", &one.id, "discard"]).await?;
                one.show().await
            }
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let open = (self.open || self.resolved).then(|| self.open.to_string());
        let none = "There are no such messages.";
        self.listing.print(&["v1", "rejected-events"], &[("open", open)], &COLUMNS, none).await
    }
}

impl One {
    async fn show(self) -> anyhow::Result<()> {
        let rejected = self.asking.api()?.get(&["v1", "rejected-events", &self.id], &[]).await?;
        self.asking.print_as(&rejected, people)
    }
}

fn people(rejected: &Value) {
    show::sheet(rejected, &["hex"]);
    let hex = rejected["hex"].as_str().unwrap_or_default();
    let more = if hex.len() > MOST_DIGITS { "… (all with --json)" } else { "" };
    println!("{:<18}{}{more}", "hex", hex.get(..MOST_DIGITS).unwrap_or(hex));
}

impl Publish {
    async fn run(self) -> anyhow::Result<()> {
        let One { id, asking } = self.one;
        let path = ["v1", "rejected-events", &id, "publish"];
        let published = match &self.event {
            Some(file) => asking.api()?.post(&path, read_input(file)?).await?,
            None => asking.api()?.act(&path).await?,
        };
        asking.print(&published)
    }
}
