//! What every command has that goes only over the API.

use clap::Args;
use serde_json::Value;

use crate::{
    client::{Answer, Client, Query},
    commands::show::{self, Column},
    settings::AccessSettings,
};

#[derive(Debug, Args)]
pub(crate) struct Asking {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: AccessSettings,
}

#[derive(Debug, Args)]
pub(crate) struct Listing {
    /// The most rows that are listed
    #[arg(long, default_value = "50", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    asking: Asking,
}

impl Asking {
    /// Someone who asks the API.
    pub(crate) fn api(&self) -> anyhow::Result<Client> {
        self.access.needed()
    }

    /// Prints an answer, for people as a sheet.
    pub(crate) fn print(&self, answer: &Answer) -> anyhow::Result<()> {
        self.print_as(answer, |value| show::sheet(value, &[]))
    }

    /// Prints an answer, for people as `people` does.
    pub(crate) fn print_as(&self, answer: &Answer, people: impl FnOnce(&Value)) -> anyhow::Result<()> {
        show::one(self.json, answer, people)
    }
}

impl Listing {
    /// Asks for a list and prints it, for people as a table, or `none` if nothing is in it.
    pub(crate) async fn print(
        &self,
        path: &[&str],
        query: Query<'_>,
        columns: &[Column],
        none: &str,
    ) -> anyhow::Result<()> {
        let listed = self.asking.api()?.list(path, query, self.limit as usize).await?;
        show::many(self.asking.json, &listed, columns, none)
    }
}
