//! Commands for people.

use std::path::Path;

use anyhow::Context;

pub(crate) mod healthcheck;
pub(crate) mod key;
pub(crate) mod listen;
pub(crate) mod migrate;
pub(crate) mod pattern;
pub(crate) mod publish;
pub(crate) mod token;
pub(crate) mod webhook;

fn read_file(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
