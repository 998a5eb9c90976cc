//! Runs every test on real servers, which are private to this run and removed after it (unless
//! `POSTHORN_AMQP_URL` and `POSTHORN_DATABASE_URL` give others).

use std::{fs, process::Stdio};

use xtask::{cargo, local, process, say, servers::Servers};

use super::{tools, with_servers};

pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let state = local().join(format!("test-{}", std::process::id()));
    let result = with_servers(&state.join("servers"), |servers| test(servers, arguments));
    fs::remove_dir_all(state)?;
    result
}

fn test(servers: &Servers, arguments: &[&str]) -> anyhow::Result<()> {
    let settings = servers.up_unless_given()?;
    let tools = tools::provide()?;
    let run = |words: &[&str], arguments: &[&str]| {
        let mut command = cargo::command(words);
        process::must(command.args(arguments).envs(settings.variables()).envs(tools.iter().cloned()))
    };
    // The end-to-end tests run target/debug/posthorn. Built together with the tests: alone, its
    // dependencies would have other features, and much would be built twice.
    cargo::build(&["--workspace", "--bins", "--tests"])?;
    run(&["test", "--workspace", "--doc"], &[])?;
    if has_nextest() {
        run(&["nextest", "run", "--workspace"], arguments)
    } else {
        say("cargo-nextest is not installed: running the tests with cargo test");
        run(&["test", "--workspace", "--all-targets"], arguments)
    }
}

fn has_nextest() -> bool {
    let mut version = cargo::command(&["nextest", "--version"]);
    version.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
