//! `posthorn delivery …`, over the management API.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::{
    client::Query,
    commands::{
        asking::{Asking, Listing},
        moment::Moment,
        show::{self, Column, column},
    },
};

const COLUMNS: [Column; 9] = [
    column("event", "/event_ref"),
    column("id", "/event_id"),
    column("type", "/event_type"),
    column("state", "/state"),
    column("attempt", "/last_attempt/attempt"),
    column("at", "/last_attempt/started_at"),
    column("outcome", "/last_attempt/outcome"),
    column("status", "/last_attempt/status"),
    column("error", "/last_attempt/error"),
];

const ATTEMPTS: [Column; 8] = [
    column("attempt", "/attempt"),
    column("at", "/started_at"),
    column("outcome", "/outcome"),
    column("status", "/status"),
    column("ms", "/duration_ms"),
    column("error", "/error"),
    column("step", "/step"),
    column("next at", "/next_attempt_at"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum DeliveryCommand {
    /// List a webhook's deliveries, each with its latest attempt
    List(Box<List>),
    /// Show a delivery with all its attempts
    Show(One),
    /// Deliver once more
    Redeliver(One),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The webhook's id, whk_…
    webhook: String,
    /// Only those whose latest attempt came to this, such as refused,unreachable
    #[arg(long, value_name = "OUTCOMES")]
    outcome: Option<String>,
    /// Only of this event type; * stands for any run of characters
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Only those whose latest attempt began since then: a time, or 2h for two hours ago
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only those whose latest attempt began before
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The event: its reference, evt_…, or its producer's id
    event: String,
    /// The webhook's id, whk_…
    webhook: String,
    #[command(flatten)]
    asking: Asking,
}

impl DeliveryCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run().await,
            Self::Show(one) => one.show().await,
            Self::Redeliver(one) => one.redeliver().await,
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let query: Query<'_> = &[
            ("outcome", self.outcome),
            ("event_type", self.event_type),
            ("since", self.since.map(|at| at.to_string())),
            ("until", self.until.map(|at| at.to_string())),
        ];
        let path = ["v1", "webhooks", &self.webhook, "deliveries"];
        self.listing.print(&path, query, &COLUMNS, "There are no such deliveries.").await
    }
}

impl One {
    async fn show(self) -> anyhow::Result<()> {
        let path = ["v1", "deliveries", &self.event, &self.webhook];
        let delivery = self.asking.api()?.get(&path, &[]).await?;
        self.asking.print_as(&delivery, people)
    }

    async fn redeliver(self) -> anyhow::Result<()> {
        let path = ["v1", "deliveries", &self.event, &self.webhook, "redeliver"];
        let redelivered = self.asking.api()?.act(&path).await?;
        self.asking.print_as(&redelivered, |_| {
            println!("{} is in the queue of {} again", show::harmless(&self.event), self.webhook);
        })
    }
}

fn people(delivery: &Value) {
    show::sheet(delivery, &["attempts"]);
    let attempts = delivery["attempts"].as_array();
    if let Some(attempts) = attempts.filter(|attempts| !attempts.is_empty()) {
        show::table(attempts, &ATTEMPTS);
    }
    let body = attempts.and_then(|attempts| attempts.last()?["response_body"].as_str());
    if let Some(body) = body {
        println!("The last answer began:\n{}", show::harmless(body));
    }
}
