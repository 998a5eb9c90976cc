//! Debian packages that are missing: installed with a line each, leaving system services alone.

use std::{
    fs::{self, File, OpenOptions},
    io::{IsTerminal, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};

use crate::{local, process, say, wait};

/// Runs as root, with a package's name.
const INSTALL: &str = include_str!("packages/install.sh");
const LAST_BYTES: u64 = 2000;

/// Installs a package unless what it provides is there. Of several processes one does it.
pub fn provide(package: &str, is_there: impl Fn() -> bool) -> anyhow::Result<()> {
    if is_there() {
        return Ok(());
    }
    let _lock = lock(&local().join("packages.lock"), Duration::from_secs(600))?;
    if !is_there() {
        install(package)?;
        ensure!(is_there(), "Debian's package {package} is installed, but does not provide what is needed");
    }
    Ok(())
}

/// Provides a program in PATH by the package.
pub fn provide_command(command: &str, package: &str) -> anyhow::Result<()> {
    provide(package, || in_path(command).is_some())
}

/// The program of this name in PATH.
pub fn in_path(command: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(command)).find(|file| file.is_file())
}

/// Installs a package.
pub fn install(package: &str) -> anyhow::Result<()> {
    ensure!(
        in_path("apt-get").is_some(),
        "please install {package} (no apt-get here), or run servers yourself and set POSTHORN_AMQP_URL and \
         POSTHORN_DATABASE_URL"
    );
    let log = local().join("packages.log");
    say(format!("{package}: installing Debian's package (details: {})", log.display()));
    fs::create_dir_all(local())?;
    let mut file = OpenOptions::new().create(true).append(true).read(true).open(&log)?;
    let begin = file.seek(SeekFrom::End(0))?;
    let words = ["sh", "-c", INSTALL, "install", package];
    let mut command = as_root(&words, package)?;
    let status = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file.try_clone()?).status()?;
    if !status.success() {
        bail!("cannot install {package}; the end of {}:\n{}", log.display(), last_words(&mut file, begin)?);
    }
    Ok(())
}

fn as_root(words: &[&str], package: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(if process::is_root() { words[0] } else { "sudo" });
    if process::is_root() {
        command.args(&words[1..]);
        return Ok(command);
    }
    let mut quiet = Command::new("sudo");
    let asks_nothing = quiet.args(["-n", "true"]).stderr(Stdio::null()).status().is_ok_and(|it| it.success());
    ensure!(
        asks_nothing || (in_path("sudo").is_some() && std::io::stdin().is_terminal()),
        "missing: {package}. As root, install it with: apt-get install {package} (sudo does not work here)"
    );
    command.args(words);
    Ok(command)
}

/// Takes files out of a package without installing it, so that no service of it ever starts.
pub fn extract(package: &str, folder: &Path) -> anyhow::Result<()> {
    say(format!("{package}: taking what is needed out of Debian's package"));
    fs::create_dir_all(folder)?;
    let script = "apt-get download -qq \"$0\" && dpkg-deb --extract \"$0\"_*.deb . && rm \"$0\"_*.deb";
    let mut command = Command::new("sh");
    let output = command.args(["-c", script, package]).current_dir(folder).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cannot fetch the package {package}: {said}");
    Ok(())
}

/// A Debian mirror: `DEBIAN_MIRROR`, or that of this machine's own package sources.
pub fn mirror() -> anyhow::Result<String> {
    if let Ok(given) = std::env::var("DEBIAN_MIRROR") {
        return Ok(given);
    }
    let filters = ["Created-By: Packages", "Origin: Debian", "Label: Debian"];
    let mut targets = Command::new("apt-get");
    let listed = process::output(targets.args(["indextargets", "--format", "$(REPO_URI)"]).args(filters))?;
    let first = listed.lines().next().map(str::to_owned);
    first.context("the package sources of this machine name no Debian mirror: set DEBIAN_MIRROR")
}

/// Takes the lock of this file; dropping it gives it back.
pub fn lock(path: &Path, patience: Duration) -> anyhow::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let taken = wait::until(patience, || file.try_lock().is_ok())?;
    ensure!(taken, "another command has held {} for {patience:?}", path.display());
    Ok(file)
}

/// The end of what was written behind `begin`.
fn last_words(file: &mut File, begin: u64) -> anyhow::Result<String> {
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(begin.max(end.saturating_sub(LAST_BYTES))))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
