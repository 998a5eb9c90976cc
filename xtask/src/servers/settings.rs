//! What leads to servers: the file `env` in their folder, which shells evaluate.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::Context;

/// URLs of servers, as the environment names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `POSTHORN_AMQP_URL`
    pub amqp_url: Option<String>,
    /// `POSTHORN_DATABASE_URL`
    pub database_url: Option<String>,
}

impl Settings {
    /// Names and values of the environment's variables.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [("POSTHORN_AMQP_URL", &self.amqp_url), ("POSTHORN_DATABASE_URL", &self.database_url)];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// Lines `export NAME='value'`.
    pub fn exports(&self) -> String {
        self.variables().map(|(name, value)| export(name, value)).collect()
    }

    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        write_privately(&folder.join("env"), &self.exports())?;
        Ok(())
    }

    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(folder.join("env")).with_context(|| {
            format!("no servers in {}; start them with: cargo xtask servers up", folder.display())
        })?;
        Ok(Self {
            amqp_url: exported(&text, "POSTHORN_AMQP_URL"),
            database_url: exported(&text, "POSTHORN_DATABASE_URL"),
        })
    }

    pub(super) fn forget(folder: &Path) -> anyhow::Result<()> {
        match fs::remove_file(folder.join("env")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// A line of a shell that exports a variable.
pub fn export(name: &str, value: &str) -> String {
    format!("export {name}='{}'\n", value.replace('\'', r"'\''"))
}

/// Writes a file that only its owner may read.
pub fn write_privately(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn exported(text: &str, name: &str) -> Option<String> {
    let start = format!("export {name}='");
    let value = text.lines().find_map(|line| line.strip_prefix(&start)?.strip_suffix('\''))?;
    Some(value.replace(r"'\''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exported_is_read_again() {
        let settings = Settings {
            amqp_url: Some("amqp://a:it's@127.0.0.1:1/%2f?x=1&y=$2".to_owned()),
            database_url: None,
        };
        let text = settings.exports();
        assert_eq!(exported(&text, "POSTHORN_AMQP_URL"), settings.amqp_url);
        assert_eq!(exported(&text, "POSTHORN_DATABASE_URL"), None);
    }
}
