//! Settings of the API.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::bail;
use clap::Args;
use posthorn_domain::token::{Token, TokenHash};
use posthorn_store::Quotas;

use super::secret::{self, Secret};

/// A token that opens everything must not be guessed.
const SHORTEST_TOKEN: usize = 32;

/// What the API alone needs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "API")]
pub(crate) struct ApiSettings {
    /// Where the management API is served; port 0 takes any free one
    #[arg(long, env = "POSTHORN_API_ADDR", default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub(crate) api_addr: SocketAddr,
    /// A token with all scopes, at least 32 characters, to make others with (or see `posthorn token`)
    #[arg(long, env = "POSTHORN_ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    admin_token: Option<Secret>,
    /// Read this token from this file instead
    #[arg(long, env = "POSTHORN_ADMIN_TOKEN_FILE", value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    /// The largest body of a request in bytes, at most 64 MiB
    #[arg(long, env = "POSTHORN_API_MAX_BODY_BYTES", default_value = "8388608", value_parser = clap::value_parser!(u32).range(1024..=67_108_864), value_name = "BYTES")]
    pub(crate) api_max_body_bytes: u32,
    /// How many requests a token may make in a second, over two seconds at each process
    #[arg(long, env = "POSTHORN_API_RATE", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "N")]
    pub(crate) api_rate: u32,
    /// Origins whose pages may use the API (CORS), such as `https://console.example.com` [default: none]
    #[arg(long, env = "POSTHORN_API_ALLOW_ORIGINS", value_delimiter = ',', value_name = "ORIGINS")]
    pub(crate) api_allow_origins: Vec<String>,
    /// How many deliveries a replay puts into its webhook's queue in a second
    #[arg(long, env = "POSTHORN_REPLAY_RATE", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub(crate) replay_rate: u32,
    /// The most connections to PostgreSQL that the API opens, at least 2
    #[arg(long, env = "POSTHORN_API_DATABASE_CONNECTIONS", default_value = "8", value_parser = clap::value_parser!(u16).range(2..=1000), value_name = "N")]
    pub(crate) api_database_connections: u16,
    /// The most connections to the API; when all are taken, the one that is idle longest is closed
    #[arg(long, env = "POSTHORN_API_CONNECTIONS", default_value = "1024", value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "N")]
    pub(crate) api_connections: u32,
    /// How long a connection to the API may have no request; longer than a proxy before it keeps one
    #[arg(long, env = "POSTHORN_API_IDLE_TIMEOUT", default_value = "75s", value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) api_idle_timeout: Duration,
    /// How many bytes of requests' bodies are held at a time, a quarter of them of one token at most
    #[arg(long, env = "POSTHORN_API_BODY_BYTES", default_value = "67108864", value_parser = clap::value_parser!(u64).range(1024..=68_719_476_736), value_name = "BYTES")]
    pub(crate) api_body_bytes: u64,
    #[command(flatten)]
    pub(crate) quotas: QuotaSettings,
}

/// What one company may take, so that others are served.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Quotas of each company")]
pub(crate) struct QuotaSettings {
    /// The most webhooks of a company
    #[arg(long, env = "POSTHORN_COMPANY_WEBHOOKS", default_value = "200", value_name = "N")]
    company_webhooks: u32,
    /// The most attempts at a time: `max_in_flight` summed over a company's webhooks
    #[arg(long, env = "POSTHORN_COMPANY_IN_FLIGHT", default_value = "2000", value_name = "N")]
    company_in_flight: u32,
    /// With how many values the patterns of all webhooks of a company compare an event
    #[arg(long, env = "POSTHORN_COMPANY_TESTS", default_value = "20000", value_name = "N")]
    company_tests: u32,
    /// How many events of a company may be published over HTTP in a second, at each process
    #[arg(long, env = "POSTHORN_COMPANY_EVENT_RATE", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "N")]
    pub(crate) company_event_rate: u32,
    /// How many requests the tokens for a company may make together in a second, at each process
    #[arg(long, env = "POSTHORN_COMPANY_REQUEST_RATE", default_value = "200", value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "N")]
    pub(crate) company_request_rate: u32,
}

impl ApiSettings {
    /// What a company's webhooks may come to.
    pub(crate) fn quotas(&self) -> Quotas {
        Quotas {
            webhooks: self.quotas.company_webhooks.into(),
            in_flight: self.quotas.company_in_flight.into(),
            tests: self.quotas.company_tests.into(),
        }
    }

    /// What stands for the token that opens everything, if one is set.
    pub(crate) fn admin_token(&self) -> anyhow::Result<Option<TokenHash>> {
        match secret::read(self.admin_token.as_ref(), self.admin_token_file.as_ref())? {
            None => Ok(None),
            Some(token) if token.len() < SHORTEST_TOKEN => {
                bail!(
                    "POSTHORN_ADMIN_TOKEN has {} characters: take at least {SHORTEST_TOKEN} that nobody can guess",
                    token.len()
                )
            }
            Some(token) => Ok(Some(Token::presented(&token).hash())),
        }
    }
}
