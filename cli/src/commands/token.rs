//! `posthorn token …`: tokens of the management API, over it or by the operator on the database.

use anyhow::anyhow;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use posthorn_domain::token::Scope;
use posthorn_manage::{Kind, Once, Shared, tokens};
use serde_json::json;

use crate::{
    client::{Answer, LONGEST_PAGE},
    commands::{
        database::{self, Needed, operator},
        show::{self, Column, column},
    },
    settings::{AccessSettings, DatabaseSettings},
};

/// More than anybody has.
const MOST_LISTED: u16 = 10_000;

const COLUMNS: [Column; 6] = [
    column("id", "/id"),
    column("name", "/name"),
    column("scopes", "/scopes"),
    Column { heading: "companies", pointer: "/companies", null: "all" },
    Column { heading: "ends", pointer: "/expires_at", null: "never" },
    column("revoked", "/revoked_at"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it, once
    Create(Create),
    /// List all tokens
    List(Common),
    /// End a token, at once and for ever
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: AccessSettings,
    #[command(flatten)]
    database: DatabaseSettings,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Whose it is and what it is for
    #[arg(long)]
    name: String,
    /// What it allows: read, write, publish, admin
    #[arg(long, value_delimiter = ',', required = true, value_name = "SCOPES")]
    scopes: Vec<Scope>,
    /// The companies that it sees, not with the scope admin [default: all]
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    companies: Option<Vec<String>>,
    /// How long it is good for, such as 90d [default: for ever]
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
    expires_in: Option<std::time::Duration>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The token's id, tok_…
    id: String,
    #[command(flatten)]
    common: Common,
}

impl TokenCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(create) => create.run().await,
            Self::List(common) => list(&common).await,
            Self::Revoke(revoke) => revoke.run().await,
        }
    }
}

impl Common {
    fn manage(&self) -> anyhow::Result<Shared> {
        database::manage(&self.database, Needed::default())
    }

    fn print(&self, answer: &Answer) -> anyhow::Result<()> {
        show::one(self.json, answer, |token| {
            show::table([token], &COLUMNS);
            if let Some(secret) = token["token"].as_str() {
                println!("\n{secret}\n\nThe token is shown only now.");
            }
        })
    }
}

impl Create {
    async fn run(self) -> anyhow::Result<()> {
        let expires_at = self.expires_in.map(|time| Timestamp::now().checked_add(time)).transpose()?;
        let answer = match self.common.access.client()? {
            Some(api) => api.post(&["v1", "tokens"], self.body(expires_at)).await?,
            None => self.insert(&self.body(expires_at)).await?,
        };
        self.common.print(&answer)
    }

    fn body(&self, expires_at: Option<Timestamp>) -> String {
        let mut body = json!({ "name": self.name, "scopes": self.scopes });
        if let Some(companies) = &self.companies {
            body["companies"] = json!(companies);
        }
        if let Some(expires_at) = expires_at {
            body["expires_at"] = json!(expires_at);
        }
        body.to_string()
    }

    async fn insert(&self, body: &str) -> anyhow::Result<Answer> {
        let (manage, by) = (self.common.manage()?, operator()?);
        let made = tokens::create(&manage, &by, Once::default(), database::input(body)?).await?;
        Answer::of(&made.value)
    }
}

async fn list(common: &Common) -> anyhow::Result<()> {
    let listed = match common.access.client()? {
        Some(api) => api.list(&["v1", "tokens"], &[], MOST_LISTED.into()).await?,
        None => {
            let (manage, by) = (common.manage()?, operator()?);
            let page = async |cursor| {
                let asked = tokens::List { limit: Some(LONGEST_PAGE), cursor };
                tokens::list(&manage, &by, asked).await
            };
            database::all(page).await?
        }
    };
    show::many(common.json, &listed, &COLUMNS, "There are no tokens.")
}

impl Revoke {
    async fn run(self) -> anyhow::Result<()> {
        let answer = match self.common.access.client()? {
            Some(api) => {
                let path = ["v1", "tokens", &self.id];
                api.delete(&path, &[]).await?;
                api.get(&path, &[]).await?
            }
            None => self.update().await?,
        };
        self.common.print(&answer)
    }

    async fn update(&self) -> anyhow::Result<Answer> {
        let manage = self.common.manage()?;
        let revoked = tokens::revoke(&manage, &operator()?, &self.id).await;
        let revoked = revoked.map_err(|error| match error.kind {
            Kind::NotFound => anyhow!("there is no token {}: see `posthorn token list`", self.id),
            _ => error.into(),
        })?;
        Answer::of(&revoked)
    }
}
