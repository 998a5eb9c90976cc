//! Settings of the API.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::bail;
use clap::Args;
use posthorn_domain::token::{Token, TokenHash};

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
}

impl ApiSettings {
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
