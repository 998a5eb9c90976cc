//! Runs the tests on the RabbitMQ of Debian 13, a 4.x: in a folder that debootstrap fills once. Needs root.

use std::{
    env,
    fs::{self, File},
    os::unix::process::CommandExt,
    path::Path,
    process::Command,
};

use anyhow::{Context, ensure};
use xtask::{local, packages, process, say};

/// Starts no service.
const POLICY: &str =
    "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d";
const INSTALL: &str = "apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends rabbitmq-server";

pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let root = local().join("rabbitmq4");
    if !root.join("complete").exists() {
        fill(&root)?;
    }
    let mut version = chroot(&root);
    version.args(["dpkg-query", "--show", "--showformat", "${Version}", "rabbitmq-server"]);
    say(format!("RabbitMQ {} of Debian 13", process::output(&mut version)?));
    let mut test = Command::new(env::current_exe()?);
    Err(test.arg("test").args(arguments).env("POSTHORN_RABBITMQ_ROOT", root).exec().into())
}

fn fill(root: &Path) -> anyhow::Result<()> {
    ensure!(process::is_root(), "only root can make a folder with another Debian");
    packages::provide("debootstrap", || Path::new("/usr/sbin/debootstrap").exists())?;
    let log = root.with_extension("log");
    say(format!("Making a folder with Debian 13 and its RabbitMQ (details: {})", log.display()));
    if root.exists() {
        fs::remove_dir_all(root)?;
    }
    let output = File::create(&log)?;
    let quietly = |command: &mut Command| {
        let done = process::must(command.stdout(output.try_clone()?).stderr(output.try_clone()?));
        done.with_context(|| format!("see {}", log.display()))
    };
    let mut debootstrap = Command::new("/usr/sbin/debootstrap");
    quietly(debootstrap.args(["--variant=minbase", "trixie"]).arg(root).arg(packages::mirror()?))?;
    quietly(chroot(root).args(["sh", "-c", POLICY]))?;
    quietly(chroot(root).args(["sh", "-c", INSTALL]))?;
    fs::write(root.join("complete"), "")?;
    Ok(())
}

fn chroot(root: &Path) -> Command {
    let mut command = Command::new("/usr/sbin/chroot");
    command.arg(root);
    command
}
