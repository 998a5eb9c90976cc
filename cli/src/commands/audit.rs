//! `posthorn audit`, over the management API: who changed what.

use clap::Args;

use crate::commands::{
    asking::Listing,
    show::{Column, column},
};

const COLUMNS: [Column; 5] = [
    column("at", "/at"),
    column("who", "/actor"),
    column("what", "/action"),
    column("to", "/subject_id"),
    column("request", "/request_id"),
];

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Only what was done to this: the id of a webhook, a token, a replay …
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    #[command(flatten)]
    listing: Listing,
}

impl Audit {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let query = [("subject_id", self.subject)];
        self.listing.print(&["v1", "audit-log"], &query, &COLUMNS, "Nothing was done.").await
    }
}
