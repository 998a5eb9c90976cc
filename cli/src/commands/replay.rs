//! `posthorn replay …`, over the management API.

use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::{
    client::{Answer, Client},
    commands::{
        asking::{Asking, Listing},
        moment::Moment,
        show::{Column, column},
    },
};

const COLUMNS: [Column; 8] = [
    column("id", "/id"),
    column("only", "/only"),
    column("since", "/since"),
    column("until", "/until"),
    column("state", "/state"),
    column("found", "/found"),
    column("published", "/published"),
    column("why", "/error"),
];

/// Between two looks at a replay that is waited for.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Subcommand)]
pub(crate) enum ReplayCommand {
    /// Deliver many events once more, in the background
    Start(Box<Start>),
    /// List a webhook's replays, the latest first
    List(List),
    /// Show a replay and how far it has come
    Show(One),
    /// Cancel a replay; what it has put into the queue is delivered all the same
    Cancel(One),
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    /// The webhook's id, whk_…
    webhook: String,
    /// Which deliveries are made again
    #[arg(long)]
    only: Which,
    /// Of events received since then: a time, or 2h for two hours ago
    #[arg(long, value_name = "TIME")]
    since: Moment,
    /// and before [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Of these event types; * stands for any run of characters [default: of all]
    #[arg(long, value_delimiter = ',', value_name = "TYPES")]
    event_types: Option<Vec<String>>,
    /// Only count them
    #[arg(long)]
    dry_run: bool,
    /// Wait until it has ended; exit status 1 unless it has finished
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Clone, Copy, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
enum Which {
    /// Those whose last retry failed, or whose receiver wanted no more
    Failed,
    /// Those of events that matched while the webhook was paused or disabled
    Missed,
    /// Those, and all that were delivered
    All,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The webhook's id, whk_…
    webhook: String,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The replay's id, rpl_…
    id: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Serialize)]
struct Body<'a> {
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_types: Option<&'a [String]>,
    only: Which,
    dry_run: bool,
}

/// What is looked at while it is waited for.
#[derive(Deserialize)]
struct Progress {
    id: String,
    state: String,
}

impl ReplayCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Start(start) => start.run().await,
            Self::List(List { webhook, listing }) => {
                let path = ["v1", "webhooks", &webhook, "replays"];
                listing.print(&path, &[], &COLUMNS, "There are no replays.").await
            }
            Self::Show(One { id, asking }) => {
                asking.print(&asking.api()?.get(&["v1", "replays", &id], &[]).await?)
            }
            Self::Cancel(One { id, asking }) => {
                asking.print(&asking.api()?.act(&["v1", "replays", &id, "cancel"]).await?)
            }
        }
    }
}

impl Start {
    async fn run(self) -> anyhow::Result<()> {
        let api = self.asking.api()?;
        let body = Body {
            since: self.since.to_string(),
            until: self.until.map(|until| until.to_string()),
            event_types: self.event_types.as_deref(),
            only: self.only,
            dry_run: self.dry_run,
        };
        let path = ["v1", "webhooks", &self.webhook, "replay"];
        let begun = api.post(&path, serde_json::to_string(&body)?).await?;
        if !self.wait {
            return self.asking.print(&begun);
        }
        let (ended, state) = end(&api, begun).await?;
        self.asking.print(&ended)?;
        match state.as_str() {
            "finished" => Ok(()),
            _ => bail!("the replay was {state}"),
        }
    }
}

/// Waits until the replay has ended, and tells its state.
async fn end(api: &Client, mut answer: Answer) -> anyhow::Result<(Answer, String)> {
    loop {
        let Progress { id, state } = answer.read()?;
        if state != "running" {
            return Ok((answer, state));
        }
        sleep(LOOK).await;
        answer = api.get(&["v1", "replays", &id], &[]).await?;
    }
}
