//! One file for each command.

use std::path::Path;

use xtask::{servers::Servers, wait};

pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod down;
pub(crate) mod lists;
pub(crate) mod rabbitmq4;
pub(crate) mod servers;
pub(crate) mod test;
pub(crate) mod tools;
pub(crate) mod up;

/// Lets `act` use servers in `folder`, and removes them afterwards, whatever comes of it.
fn with_servers(folder: &Path, act: impl FnOnce(&Servers) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let servers = Servers::of(folder)?;
    let result = act(&servers);
    wait::forget_signal();
    let removed = servers.remove();
    result.and(removed)
}
