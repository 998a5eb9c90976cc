//! `posthorn catalogue …`, over the management API: what events name.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{json, value::RawValue};

use crate::commands::{
    asking::{Asking, Listing},
    read_json,
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
    /// Describe an event type, seen or not; what is left out is empty
    Describe(Describe),
    /// Name a company, seen or not
    NameCompany(Name),
    /// Name a project, seen or not
    NameProject(OfCompany<Name>),
    /// Forget an event type with its description and schema; it comes back when it is seen
    ForgetEventType(One),
    /// Forget a company's name and its projects'; they come back when they are seen
    ForgetCompany(One),
    /// Forget a project's name; it comes back when it is seen
    ForgetProject(OfCompany<One>),
}

#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// Such as todo.created
    event_type: String,
    /// What it means
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Under which heading it is shown
    #[arg(long, value_name = "TEXT")]
    group: Option<String>,
    /// A file with the data of an example event, as JSON
    #[arg(long, value_name = "FILE")]
    example: Option<PathBuf>,
    /// A file with the JSON Schema that data published over HTTP must fit
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// Which
    id: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(crate) struct Name {
    /// Its id in events
    id: String,
    /// What people call it
    name: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(crate) struct OfCompany<T: Args> {
    /// The company whose project it is [default: events that name none]
    #[arg(long, value_name = "ID")]
    company: Option<String>,
    #[command(flatten)]
    what: T,
}

#[derive(Serialize)]
struct Description<'a> {
    description: &'a Option<String>,
    group: &'a Option<String>,
    example: Option<Box<RawValue>>,
    schema: Option<Box<RawValue>>,
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
            Self::Describe(describe) => describe.run().await,
            Self::NameCompany(name) => name.run("companies", None).await,
            Self::NameProject(OfCompany { company, what }) => what.run("projects", company).await,
            Self::ForgetEventType(one) => one.forget("event-types", None).await,
            Self::ForgetCompany(one) => one.forget("companies", None).await,
            Self::ForgetProject(OfCompany { company, what }) => what.forget("projects", company).await,
        }
    }
}

impl Describe {
    async fn run(self) -> anyhow::Result<()> {
        let description = Description {
            description: &self.description,
            group: &self.group,
            example: self.example.as_deref().map(read_json).transpose()?,
            schema: self.schema.as_deref().map(read_json).transpose()?,
        };
        let path = ["v1", "event-types", &self.event_type];
        let body = serde_json::to_string(&description)?;
        self.asking.print(&self.asking.api()?.put(&path, &[], body).await?)
    }
}

impl Name {
    async fn run(self, what: &str, company: Option<String>) -> anyhow::Result<()> {
        let body = json!({ "name": self.name }).to_string();
        let named = self.asking.api()?.put(&["v1", what, &self.id], &[("company", company)], body).await?;
        self.asking.print(&named)
    }
}

impl One {
    async fn forget(self, what: &str, company: Option<String>) -> anyhow::Result<()> {
        self.asking.api()?.delete(&["v1", what, &self.id], &[("company", company)]).await?;
        println!("forgot {}", self.id);
        Ok(())
    }
}

impl List {
    async fn print(self, what: &str, company: Option<String>, columns: &[Column]) -> anyhow::Result<()> {
        let query = [("q", self.text), ("company", company)];
        self.listing.print(&["v1", what], &query, columns, "There are none.").await
    }
}
