//! `posthorn catalogue …`, over the management API: what events name.

use clap::{Args, Subcommand};

use crate::commands::{
    asking::Listing,
    show::{Column, column},
};

const EVENT_TYPES: [Column; 3] =
    [column("type", "/type"), column("group", "/group"), column("description", "/description")];
const COMPANIES: [Column; 2] = [column("id", "/id"), column("name", "/name")];
const PROJECTS: [Column; 3] =
    [column("company", "/company_id"), column("id", "/id"), column("name", "/name")];

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogueCommand {
    /// List event types that were seen or described
    EventTypes(List),
    /// List companies that were seen or named
    Companies(List),
    /// List projects that were seen or named
    Projects {
        /// Only those of this company
        #[arg(long, value_name = "ID")]
        company: Option<String>,
        #[command(flatten)]
        list: List,
    },
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those in which this text occurs
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    #[command(flatten)]
    listing: Listing,
}

impl CatalogueCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::EventTypes(list) => list.print("event-types", None, &EVENT_TYPES).await,
            Self::Companies(list) => list.print("companies", None, &COMPANIES).await,
            Self::Projects { company, list } => list.print("projects", company, &PROJECTS).await,
        }
    }
}

impl List {
    async fn print(self, what: &str, company: Option<String>, columns: &[Column]) -> anyhow::Result<()> {
        let query = [("q", self.text), ("company", company)];
        self.listing.print(&["v1", what], &query, columns, "There are none.").await
    }
}
