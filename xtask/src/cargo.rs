//! Cargo, run by a program that cargo runs.

use std::{env, process::Command};

use crate::{process, repository};

/// Cargo in the repository, without the variables that describe the package that runs it.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    for (name, _) in env::vars_os() {
        let of_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(of_package) {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(repository());
    command
}

/// Builds these targets; in CI only with the dependencies of Cargo.lock.
pub fn build(targets: &[&str]) -> anyhow::Result<()> {
    let mut command = command(&["build"]);
    command.args(targets);
    if env::var_os("CI").is_some() {
        command.arg("--locked");
    }
    process::must(&mut command)
}
