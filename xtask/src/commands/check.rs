//! Everything that CI checks besides the tests. All checks run, whatever the others find.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::ensure;
use xtask::{cargo, local, process, say, wait};

mod imports;

const DENY: (&str, &str) = ("cargo-deny", "0.20.2");
const MACHETE: (&str, &str) = ("cargo-machete", "0.9.2");
/// The advisory database is a git repository, which not every machine can reach.
const FETCHED_WITHIN: Duration = Duration::from_secs(60);

type Check = fn() -> anyhow::Result<()>;

const CHECKS: [(&str, Check); 7] = [
    ("format", || cargo(&["fmt", "--all", "--check"])),
    ("imports", imports::run),
    ("clippy", || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])),
    ("documentation", documentation),
    ("licences, bans and sources of dependencies", dependencies),
    ("advisories", advisories),
    ("unused dependencies", unused_dependencies),
];

pub(crate) fn run() -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for (title, check) in CHECKS {
        say(format!("--- {title}"));
        if let Err(error) = check() {
            say(format!("{title}: {error:#}"));
            failed.push(title);
        }
        ensure!(wait::last_signal().is_none(), "stopped");
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join("; "));
    say("all checks passed");
    Ok(())
}

fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    process::must(&mut command(arguments))
}

fn documentation() -> anyhow::Result<()> {
    process::must(command(&["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-Dwarnings"))
}

fn dependencies() -> anyhow::Result<()> {
    provide(DENY)?;
    cargo(&["deny", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"])
}

fn advisories() -> anyhow::Result<()> {
    let mut fetch = command(&["deny", "fetch", "db"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let ended = wait::until(FETCHED_WITHIN, || !matches!(fetch.try_wait(), Ok(None)))?;
    if !ended {
        fetch.kill()?;
    }
    if fetch.wait()?.success() {
        return cargo(&["deny", "check", "advisories"]);
    }
    say("SKIPPED: the advisory database cannot be reached from here; known vulnerabilities were NOT checked");
    Ok(())
}

fn unused_dependencies() -> anyhow::Result<()> {
    provide(MACHETE)?;
    cargo(&["machete"])
}

/// Installs a tool into `.local/tools`, where it stays. Its own release profile may ask for minutes of
/// optimisation, which one run does not earn back.
fn provide((tool, version): (&str, &str)) -> anyhow::Result<()> {
    let installed = Command::new(tools().join("bin").join(tool)).arg("--version").output();
    if installed.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(version)) {
        return Ok(());
    }
    say(format!("Installing {tool} {version} into .local/tools (minutes, once)"));
    let build = tools().join("build");
    let mut install = command(&["install", "--quiet", "--locked", tool, "--version", version, "--root"]);
    install.arg(tools()).env("CARGO_TARGET_DIR", &build).env("CARGO_PROFILE_RELEASE_LTO", "off");
    install.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16").env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    process::must(&mut install)?;
    Ok(fs::remove_dir_all(build)?)
}

/// Cargo, which finds the tools.
fn command(arguments: &[&str]) -> Command {
    let mut command = cargo::command(arguments);
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(tools().join("bin")).chain(env::split_paths(&path));
    command.env("PATH", env::join_paths(folders).unwrap_or(path));
    command
}

fn tools() -> PathBuf {
    local().join("tools")
}
