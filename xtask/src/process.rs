//! Processes of this machine: as `/proc` and pid files tell of them, started, signalled.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};

use crate::wait;

/// Whether the process runs. One that has ended but was not waited for yet is dead: a container's init may
/// be slow.
pub fn is_alive(id: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let state = status.lines().find_map(|line| line.strip_prefix("State:"));
    state.is_some_and(|state| !state.trim_start().starts_with(['Z', 'X']))
}

/// The process whose id is the first line of a file, if it runs and works in `folder`. The folder tells it
/// from a process that got the same id after a crash or a reboot.
pub fn named_by(file: &Path, folder: &Path) -> Option<u32> {
    written_in(file).filter(|id| is_alive(*id) && works_in(*id, folder))
}

/// The process id in the first line of a file.
pub fn written_in(file: &Path) -> Option<u32> {
    fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
}

fn works_in(id: u32, folder: &Path) -> bool {
    let working = format!("/proc/{id}/cwd");
    match (fs::metadata(&working), fs::metadata(folder)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        // In a container even root may not look at another user's process: its owner looks.
        (Err(error), _) if error.kind() == io::ErrorKind::PermissionDenied => {
            owner(id).is_some_and(|owner| {
                let mut look = Command::new("runuser");
                look.args(["-u", &owner, "--", "test", &working, "-ef"]).arg(folder);
                look.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
            })
        }
        _ => false,
    }
}

fn owner(id: u32) -> Option<String> {
    let user = fs::metadata(format!("/proc/{id}")).ok()?.uid().to_string();
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let entry = users.lines().find(|line| line.split(':').nth(2) == Some(&user))?;
    entry.split(':').next().map(str::to_owned)
}

/// Whether this process is root's.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Sends a signal, such as `TERM`. That the process has just ended is fine.
pub fn signal(id: u32, name: &str) -> anyhow::Result<()> {
    let sent = Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", name, &id.to_string()])
        .stderr(Stdio::null())
        .status()
        .context("cannot run sh")?;
    ensure!(sent.success() || !is_alive(id), "cannot send SIG{name} to process {id}");
    Ok(())
}

/// Asks a process to end with this signal, and kills it if it has not ended in time.
pub fn stop(id: u32, name: &str, patience: Duration) -> anyhow::Result<()> {
    signal(id, name)?;
    if !wait::until(patience, || !is_alive(id))? {
        signal(id, "KILL")?;
    }
    Ok(())
}

/// A command in a session of its own, which outlives this process and its terminal. What it prints is
/// appended to `log`.
pub fn detached(words: &[String], folder: &Path, log: &Path) -> anyhow::Result<Command> {
    let log = OpenOptions::new().create(true).append(true).open(log)?;
    let mut command = Command::new("setsid");
    command.args(words).current_dir(folder).stdin(Stdio::null());
    command.stdout(log.try_clone()?).stderr(log);
    Ok(command)
}

/// Starts a detached command and writes its process id to a file.
pub fn start(mut command: Command, pid_file: &Path) -> anyhow::Result<()> {
    let child = command.spawn().context("cannot run setsid")?;
    fs::write(pid_file, format!("{}\n", child.id()))?;
    Ok(())
}

/// Runs a command to its end. If this process is told to stop, so is the command.
pub fn run(command: &mut Command) -> anyhow::Result<ExitStatus> {
    let mut child =
        command.spawn().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    while child.try_wait()?.is_none() {
        let ended = wait::until(Duration::from_secs(1), || !matches!(child.try_wait(), Ok(None)));
        if ended.is_err() {
            return stop_child(&mut child);
        }
    }
    Ok(child.wait()?)
}

/// The terminal sends SIGINT to both; SIGTERM comes to this process alone.
fn stop_child(child: &mut Child) -> anyhow::Result<ExitStatus> {
    if wait::forget_signal() == Some(signal_hook::consts::SIGTERM) {
        signal(child.id(), "TERM")?;
    }
    wait::until(Duration::from_secs(30), || !matches!(child.try_wait(), Ok(None))).ok();
    child.kill()?;
    child.wait()?;
    bail!("stopped by a signal")
}

/// Runs a command to its end and expects success.
pub fn must(command: &mut Command) -> anyhow::Result<()> {
    let status = run(command)?;
    ensure!(status.success(), "{} failed: {status}", command.get_program().display());
    Ok(())
}

/// The command's standard output, on success.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot run {}", command.get_program().display()))?;
    ensure!(output.status.success(), "{command:?}: {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_id_and_its_folder() {
        let folder = std::env::current_dir().unwrap();
        let file = std::env::temp_dir().join(format!("xtask-{}.pid", std::process::id()));
        fs::write(&file, format!("{}\n", std::process::id())).unwrap();
        assert_eq!(named_by(&file, &folder), Some(std::process::id()));
        assert_eq!(named_by(&file, Path::new("/")), None);
        fs::remove_file(&file).unwrap();
        assert_eq!(named_by(&file, &folder), None);
    }
}
