//! How commands reach the management API.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use reqwest::Url;

use super::secret;
use crate::client::Client;

/// The token. No flag: other users of the machine see command lines.
const TOKEN: &str = "POSTHORN_API_TOKEN";

/// Where the management API is.
#[derive(Debug, Clone, Args)]
pub(crate) struct AccessSettings {
    /// Ask the management API at this URL, with the token in the variable POSTHORN_API_TOKEN
    #[arg(long, env = "POSTHORN_API", value_name = "URL", value_parser = read_url, help_heading = "API")]
    api: Option<Url>,
    /// Read the token from this file instead
    #[arg(long, env = "POSTHORN_API_TOKEN_FILE", value_name = "FILE", help_heading = "API")]
    api_token_file: Option<PathBuf>,
}

impl AccessSettings {
    /// Someone who asks the API, if it is named.
    pub(crate) fn client(&self) -> anyhow::Result<Option<Client>> {
        let Some(base) = &self.api else { return Ok(None) };
        let given = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
        let token = match &self.api_token_file {
            Some(file) => secret::read(None, Some(file))?,
            None => given,
        };
        let token = token.context(
            "no token for the API: set POSTHORN_API_TOKEN or POSTHORN_API_TOKEN_FILE (see `posthorn token create`)",
        )?;
        Client::new(base.clone(), &token).map(Some)
    }

    /// Someone who asks the API, which must be named.
    pub(crate) fn needed(&self) -> anyhow::Result<Client> {
        self.client()?.context(
            "this goes only over the management API: name it with --api or POSTHORN_API, such as http://127.0.0.1:8080",
        )
    }
}

fn read_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("{error}"))?;
    let is_ours =
        matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
    match is_ours && url.username().is_empty() && url.password().is_none() {
        true => Ok(url),
        false => Err("an API's URL is such as https://posthorn.example.com".to_owned()),
    }
}
