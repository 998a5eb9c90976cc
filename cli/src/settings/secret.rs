//! Secrets among the settings.

use std::{fmt, fs, path::PathBuf, str::FromStr};

use anyhow::Context;

/// A setting that its `Debug` doesn't show.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The secret in the file if one is named, else the one given.
pub(super) fn read(given: Option<&Secret>, file: Option<&PathBuf>) -> anyhow::Result<Option<String>> {
    match file {
        Some(file) => {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            Ok(Some(text.trim().to_owned()))
        }
        None => Ok(given.map(|secret| secret.0.clone())),
    }
}
