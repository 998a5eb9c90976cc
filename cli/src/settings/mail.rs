//! How mails are sent.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use posthorn_recorder::Mailer;

use super::secret::{self, Secret};

/// How mails about webhooks are sent to their contacts; without a URL none are.
#[derive(Debug, Clone, Args)]
pub(crate) struct MailSettings {
    /// The mail server: smtps://user:password@host, or smtp://user:password@host?tls=required
    #[arg(
        long,
        help_heading = "Mails",
        env = "POSTHORN_SMTP_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    smtp_url: Option<Secret>,
    /// Read the mail server's URL from this file instead
    #[arg(long, help_heading = "Mails", env = "POSTHORN_SMTP_URL_FILE", value_name = "FILE")]
    smtp_url_file: Option<PathBuf>,
    /// From whom mails are, such as Posthorn <posthorn@example.com>
    #[arg(long, help_heading = "Mails", env = "POSTHORN_SMTP_FROM", value_name = "MAILBOX")]
    smtp_from: Option<String>,
}

impl MailSettings {
    pub(crate) fn mailer(&self) -> anyhow::Result<Option<Mailer>> {
        let Some(url) = secret::read(self.smtp_url.as_ref(), self.smtp_url_file.as_ref())? else {
            return Ok(None);
        };
        let from = self.smtp_from.as_ref().context("POSTHORN_SMTP_URL is set: set POSTHORN_SMTP_FROM too")?;
        Ok(Some(Mailer::new(&url, from)?))
    }
}
