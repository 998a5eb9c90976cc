//! Stops what `up` left running, and what an interrupted demo or test run may have. Data of `up` stays for
//! the next one. Safe to run twice.

use std::{fs, path::Path};

use xtask::{background::Background, local, process, servers::Servers};

pub(crate) fn run() -> anyhow::Result<()> {
    for folder in ["up", "demo"].map(|name| local().join(name)) {
        if folder.is_dir() {
            Background::of(&folder)?.stop_all()?;
        }
    }
    Servers::of(&local().join("servers"))?.down()?;
    for folder in fs::read_dir(local()).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if is_left_over(&folder) {
            Servers::of(&folder.join("servers"))?.remove()?;
        }
    }
    match fs::remove_file(local().join("up/env")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// The name of a test run's folder ends in the process id of the run, which may still go on.
fn is_left_over(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let of_ended_run = || {
        let id = name.strip_prefix("test-").and_then(|id| id.parse().ok());
        id.is_some_and(|id| !process::is_alive(id))
    };
    folder.join("servers").is_dir() && (name == "demo" || of_ended_run())
}
