//! `posthorn event …`, over the management API.

use clap::{Args, Subcommand};
use posthorn_matching::explain::Explanation;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::commands::{
    asking::{Asking, Listing},
    moment::Moment,
    pattern,
    show::{self, Column, column},
};

mod publish;

use publish::Publish;

const COLUMNS: [Column; 7] = [
    column("event", "/ref"),
    column("id", "/id"),
    column("type", "/type"),
    column("company", "/company_id"),
    column("project", "/project_id"),
    column("received", "/received_at"),
    column("webhooks", "/webhooks"),
];

const CONFLICTS: [Column; 6] = [
    column("event", "/event_ref"),
    column("id", "/event_id"),
    column("company", "/company_id"),
    column("type", "/type"),
    column("received", "/received_at"),
    column("webhooks", "/webhooks"),
];

const DELIVERIES: [Column; 6] = [
    column("webhook", "/webhook_id"),
    column("state", "/state"),
    column("attempts", "/attempts"),
    column("status", "/status"),
    column("last at", "/last_attempt_at"),
    column("next at", "/next_attempt_at"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum EventCommand {
    /// List events, the latest first
    List(Box<List>),
    /// Show an event with its data and its deliveries
    Show(One),
    /// List content that came with the id of another event of its company, the latest first
    Conflicts(Box<Conflicts>),
    /// Publish events over HTTP; `posthorn publish` does so over AMQP
    Publish(Box<Publish>),
    /// Tell why a webhook got an event, or did not
    Explain(Explain),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those with this id of their producer's, or this reference
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Only of this type; * stands for any run of characters
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only of this company
    #[arg(long, value_name = "ID")]
    company: Option<String>,
    /// Only of this project
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Only those received since then: a time, or 2h for two hours ago
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only those received before
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
pub(crate) struct Conflicts {
    /// Only of this company
    #[arg(long, value_name = "ID")]
    company: Option<String>,
    /// Only those received since then: a time, or 2h for two hours ago
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only those received before
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The event: its reference, evt_…, or its producer's id
    event: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The event: its reference, evt_…, or its producer's id
    event: String,
    /// The webhook's id, whk_…
    #[arg(long, value_name = "ID")]
    webhook: String,
    #[command(flatten)]
    asking: Asking,
}

/// An event's data as it was published.
#[derive(Deserialize)]
struct WithData {
    data: Box<RawValue>,
}

#[derive(Deserialize)]
struct Explained {
    verdict: String,
    sentence: String,
    just_changed: bool,
    rules_of_then: bool,
    rules: Vec<Explanation>,
}

impl EventCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run().await,
            Self::Show(one) => one.run().await,
            Self::Conflicts(conflicts) => conflicts.run().await,
            Self::Publish(publish) => publish.run().await,
            Self::Explain(explain) => explain.run().await,
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let query = [
            ("id", self.id),
            ("type", self.event_type),
            ("company", self.company),
            ("project", self.project),
            ("since", self.since.map(|at| at.to_string())),
            ("until", self.until.map(|at| at.to_string())),
        ];
        self.listing.print(&["v1", "events"], &query, &COLUMNS, "There are no such events.").await
    }
}

impl Conflicts {
    async fn run(self) -> anyhow::Result<()> {
        let query = [
            ("company", self.company),
            ("since", self.since.map(|at| at.to_string())),
            ("until", self.until.map(|at| at.to_string())),
        ];
        let none = "Every id came with one content only.";
        self.listing.print(&["v1", "event-conflicts"], &query, &CONFLICTS, none).await
    }
}

impl One {
    async fn run(self) -> anyhow::Result<()> {
        let event = self.asking.api()?.get(&["v1", "events", &self.event], &[]).await?;
        let data = event.read::<WithData>()?.data;
        self.asking.print_as(&event, |event| people(event, &data))
    }
}

impl Explain {
    async fn run(self) -> anyhow::Result<()> {
        let query = [("webhook", Some(self.webhook))];
        let answer = self.asking.api()?.get(&["v1", "events", &self.event, "explain"], &query).await?;
        let explained: Explained = answer.read()?;
        self.asking.print_as(&answer, |_| explained.print())
    }
}

fn people(event: &Value, data: &RawValue) {
    show::sheet(event, &["data", "deliveries", "conflicts"]);
    println!("{:<18}{}", "data", show::harmless(data.get()));
    match event["deliveries"].as_array().filter(|deliveries| !deliveries.is_empty()) {
        Some(deliveries) => show::table(deliveries, &DELIVERIES),
        None => println!("No webhook wanted it."),
    }
    if let Some(conflicts) = event["conflicts"].as_array().filter(|conflicts| !conflicts.is_empty()) {
        println!("Other content came with the same id (--json shows it):");
        show::table(conflicts, &CONFLICTS[3..]);
    }
}

impl Explained {
    fn print(&self) {
        println!("{}: {}", self.verdict, show::harmless(&self.sentence));
        if self.just_changed {
            println!("The webhook had just been changed: the change may not have been in force.");
        }
        if !self.rules_of_then {
            println!("These are the rules of now; those of then are not known any more.");
        }
        for (place, rule) in self.rules.iter().enumerate() {
            println!("rule {}:", place + 1);
            pattern::show::explanation(rule);
        }
    }
}
