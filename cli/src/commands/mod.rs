//! Commands for people.

use std::{io::Read, path::Path};

use anyhow::Context;
use serde_json::value::RawValue;

mod asking;
pub(crate) mod audit;
pub(crate) mod catalogue;
mod database;
pub(crate) mod delivery;
pub(crate) mod event;
pub(crate) mod healthcheck;
pub(crate) mod key;
pub(crate) mod listen;
pub(crate) mod migrate;
mod moment;
pub(crate) mod pattern;
pub(crate) mod publish;
pub(crate) mod quarantine;
pub(crate) mod rejected;
pub(crate) mod replay;
mod show;
pub(crate) mod statistics;
pub(crate) mod token;
pub(crate) mod webhook;

fn read_file(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// The same, of standard input for `-`.
fn read_input(file: &Path) -> anyhow::Result<String> {
    if file.as_os_str() != "-" {
        return read_file(file);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    Ok(text)
}

/// JSON as it is written, so that numbers stay as they are.
fn read_json(file: &Path) -> anyhow::Result<Box<RawValue>> {
    serde_json::from_str(&read_file(file)?).with_context(|| format!("{} is not JSON", file.display()))
}
