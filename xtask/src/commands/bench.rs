//! Measures Posthorn against the bare broker, on servers that are private to the run and removed after it.

use std::{fs, process::Command};

use xtask::{cargo, local, process, repository, say, target};

use super::with_servers;

pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    say("Building the optimised binaries (minutes the first time)");
    cargo::build(&["--release", "--bin", "posthorn", "--bin", "posthorn-bench"])?;
    let mut bench = Command::new(target().join("release/posthorn-bench"));
    bench.args(arguments).current_dir(repository());
    if ["--list", "--help"].iter().any(|word| arguments.contains(word)) {
        return process::must(bench.args(["--amqp-url", "-", "--database-url", "-"]));
    }
    let state = local().join("bench");
    fs::create_dir_all(&state)?;
    with_servers(&state.join("servers"), |servers| {
        // Private servers always: given ones would carry the load, and queues that are left behind.
        bench.envs(servers.up()?.variables());
        let (broker, postgres) = servers.processes();
        let watched = [("POSTHORN_BENCH_BROKER_PID", broker), ("POSTHORN_BENCH_POSTGRES_PID", postgres)];
        bench.envs(watched.into_iter().filter_map(|(name, id)| Some((name, id?.to_string()))));
        process::must(&mut bench)
    })
}
