//! The demo's database, asked through psql.

use std::{path::PathBuf, process::Command};

use anyhow::Context;
use xtask::{packages, process, servers::postgres_programs};

/// A database of the demo's own on a server.
pub(super) struct Database {
    pub(super) url: String,
    psql: PathBuf,
}

impl Database {
    /// Makes it, empty.
    pub(super) fn make(server: &str) -> anyhow::Result<Self> {
        let psql = psql()?;
        let on_server = Self { url: server.to_owned(), psql: psql.clone() };
        on_server
            .ask("SET client_min_messages = warning; DROP DATABASE IF EXISTS posthorn_demo WITH (FORCE)")?;
        on_server.ask("CREATE DATABASE posthorn_demo")?;
        Ok(Self { url: with_name(server, "posthorn_demo")?, psql })
    }

    /// How many events were recorded, without our own, which tells that a webhook was disabled.
    pub(super) fn events(&self) -> anyhow::Result<String> {
        self.ask("SELECT count(*) FROM events WHERE type NOT LIKE 'webhook.%'")
    }

    /// How many deliveries the webhook accepted.
    pub(super) fn accepted(&self, webhook: &str) -> anyhow::Result<String> {
        self.count("count(DISTINCT event_ref)", "outcome = 'accepted'", webhook)
    }

    /// How many attempts failed.
    pub(super) fn failed(&self, webhook: &str) -> anyhow::Result<String> {
        self.count("count(*)", "outcome <> 'accepted'", webhook)
    }

    fn count(&self, what: &str, which: &str, webhook: &str) -> anyhow::Result<String> {
        self.ask(&format!(
            "SELECT {what} FROM attempts WHERE {which} \
             AND webhook_id = (SELECT id FROM webhooks WHERE name = '{webhook}')"
        ))
    }

    fn ask(&self, sql: &str) -> anyhow::Result<String> {
        let mut psql = Command::new(&self.psql);
        process::output(
            psql.args(["-X", "-q", "-A", "-t", &self.url]).args(sql.split("; ").flat_map(|one| ["-c", one])),
        )
    }
}

fn psql() -> anyhow::Result<PathBuf> {
    let find = || {
        let ours = postgres_programs().map(|folder| folder.join("psql"));
        ours.filter(|psql| psql.exists()).or_else(|| packages::in_path("psql"))
    };
    packages::provide("postgresql-client", || find().is_some())?;
    find().context("psql is installed")
}

/// The URL of another database on the same server.
fn with_name(url: &str, name: &str) -> anyhow::Result<String> {
    let (scheme, rest) = url.split_once("://").context("POSTHORN_DATABASE_URL is not a URL")?;
    let (place, query) =
        rest.split_once('?').map_or((rest, String::new()), |(place, query)| (place, format!("?{query}")));
    let authority = place.split('/').next().unwrap_or_default();
    Ok(format!("{scheme}://{authority}/{name}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_changes() {
        let is = |url, expected: &str| assert_eq!(with_name(url, "demo").unwrap(), expected);
        is("postgres://u@127.0.0.1:1/posthorn", "postgres://u@127.0.0.1:1/demo");
        is(
            "postgres://u:p@db.example.com?sslmode=require",
            "postgres://u:p@db.example.com/demo?sslmode=require",
        );
        is("postgres:///posthorn?host=/run", "postgres:///demo?host=/run");
    }
}
