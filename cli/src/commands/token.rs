//! `posthorn token …`: tokens of the management API, on the database.

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};
use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use jiff::Timestamp;
use posthorn_domain::{
    token::{Scope, Token},
    webhook::owner,
};
use posthorn_store::{Actor, NewToken, Store, TokenRecord};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::settings::DatabaseSettings;

/// More than anybody has.
const MOST_LISTED: i64 = 10_000;

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
    fn store(&self) -> anyhow::Result<Store> {
        Ok(Store::new(&self.database.url()?, 1)?)
    }
}

impl Create {
    async fn run(self) -> anyhow::Result<()> {
        owner::check_text(&self.name, owner::LONGEST_NAME)
            .map_err(|problem| anyhow!("the name: {problem}"))?;
        if self.name.trim().is_empty() {
            bail!("the name is empty: say whose it is and what it is for");
        }
        if self.companies.is_some() && self.scopes.contains(&Scope::Admin) {
            bail!("the scope admin is for tokens that see all companies");
        }
        let token = Token::new(rand::random());
        let expires_at = self.expires_in.map(|time| Timestamp::now().checked_add(time)).transpose()?;
        let new = NewToken {
            id: Uuid::now_v7(),
            name: self.name,
            hash: token.hash(),
            scopes: self.scopes,
            companies: self.companies,
            expires_at,
        };
        let record = self.common.store()?.add_token(&new, &Actor::command("token.create")).await?;
        match self.common.json {
            true => {
                let mut json = shown(&record);
                json["token"] = token.reveal().into();
                println!("{json:#}");
            }
            false => {
                print(&[record]);
                println!("\n{}\n\nThe token is shown only now.", token.reveal());
            }
        }
        Ok(())
    }
}

async fn list(common: &Common) -> anyhow::Result<()> {
    let tokens = common.store()?.tokens(None, MOST_LISTED).await?;
    match common.json {
        true => println!("{:#}", Value::Array(tokens.iter().map(shown).collect())),
        false => print(&tokens),
    }
    Ok(())
}

impl Revoke {
    async fn run(self) -> anyhow::Result<()> {
        let digits = self.id.strip_prefix("tok_").and_then(|digits| Uuid::try_parse(digits).ok());
        let id = digits
            .ok_or_else(|| anyhow!("`{}` is not a token's id, tok_…: see `posthorn token list`", self.id))?;
        let revoked = self.common.store()?.revoke_token(id, &Actor::command("token.revoke")).await?;
        let record = revoked.ok_or_else(|| anyhow!("there is no token {}", self.id))?;
        match self.common.json {
            true => println!("{:#}", shown(&record)),
            false => print(&[record]),
        }
        Ok(())
    }
}

fn shown(token: &TokenRecord) -> Value {
    json!({
        "id": id(token),
        "name": token.name,
        "scopes": token.scopes,
        "companies": token.companies,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
    })
}

fn id(token: &TokenRecord) -> String {
    format!("tok_{}", token.id.simple())
}

fn print(tokens: &[TokenRecord]) {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(["id", "name", "scopes", "companies", "ends"]);
    for token in tokens {
        let scopes: Vec<_> = token.scopes.iter().map(ToString::to_string).collect();
        let companies = token.companies.as_ref().map_or("all".to_owned(), |companies| companies.join(","));
        let ends = match (token.revoked_at, token.expires_at) {
            (Some(at), _) => format!("revoked {at:.0}"),
            (None, Some(at)) => format!("{at:.0}"),
            (None, None) => "never".to_owned(),
        };
        table.add_row([id(token), token.name.clone(), scopes.join(","), companies, ends]);
    }
    println!("{table}");
}
