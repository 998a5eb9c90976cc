//! A process of the real binary: started, asked for its health, stopped, killed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use crate::{PATIENCE, eventually, eventually_is, http, servers::binary};

/// Where a process serves its admin pages, on a port that the system picks.
pub(crate) const ADMIN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Where a process serves the API: another address than the admin pages, which tells their ports apart.
pub(crate) const API: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A running `posthorn`; killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
    log: PathBuf,
}

impl Process {
    /// Starts `posthorn` with these arguments and nothing in its environment but `settings`.
    pub fn spawn(name: &str, folder: &Path, settings: &BTreeMap<String, String>, arguments: &[&str]) -> Self {
        Self::run(name, folder, command(settings, arguments))
    }

    fn run(name: &str, folder: &Path, mut command: Command) -> Self {
        let (output, log) = (folder.join(format!("{name}.out")), folder.join(format!("{name}.log")));
        let create = |path| File::create(path).expect("the test's folder is writable");
        let child = command
            .stdout(create(&output))
            .stderr(create(&log))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", binary().display()));
        Self { name: name.to_owned(), child, output, log }
    }

    /// The same, with so many open files at most.
    pub fn spawn_with_files(
        files: u32,
        name: &str,
        folder: &Path,
        settings: &BTreeMap<String, String>,
        arguments: &[&str],
    ) -> Self {
        let limited = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.arg("-c").arg(limited).arg(binary()).args(arguments);
        Self::run(name, folder, prepared(command, settings))
    }

    /// What it has written to stderr so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log is readable")
    }

    /// What it has written to stdout so far.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.output).expect("the output is readable")
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it has not been waited for")
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// The address of its admin pages.
    pub async fn admin(&mut self) -> SocketAddr {
        self.listens_at("its admin pages", ADMIN).await
    }

    /// The address of its API.
    pub async fn api(&mut self) -> SocketAddr {
        self.listens_at("its API", API).await
    }

    async fn listens_at(&mut self, what: &str, address: Ipv4Addr) -> SocketAddr {
        eventually(&format!("{} serves {what}", self.name), async || {
            assert!(self.is_running(), "{} has ended:\n{}", self.name, self.log());
            xtask::listener::of(self.id(), address)
        })
        .await
    }

    /// The status and body of an admin page.
    pub async fn page(&mut self, path: &str) -> (u16, String) {
        let address = self.admin().await;
        let page = timeout(Duration::from_secs(5), http::get(address, path)).await;
        match page {
            Ok(Ok(page)) => page,
            Ok(Err(error)) => panic!("{} of {}: {error}\n{}", path, self.name, self.log()),
            Err(_) => panic!("{} of {} does not answer\n{}", path, self.name, self.log()),
        }
    }

    /// Status and content of `/readyz`.
    pub async fn readiness(&mut self) -> (u16, Value) {
        let (status, body) = self.page("/readyz").await;
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("/readyz is not JSON: {body}")))
    }

    /// Waits until `/readyz` says that nothing is missing.
    pub async fn ready(&mut self) {
        let ready = (200, json!({ "ready": true, "missing": [] }));
        eventually_is(&format!("readiness of {}", self.name), ready, async || self.readiness().await).await;
    }

    /// Asks it to stop: SIGTERM.
    pub fn terminate(&self) {
        let id = self.id().to_string();
        let sent = std::process::Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "cannot send SIGTERM to {}", self.name);
    }

    /// Kills it: SIGKILL.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("a child can be killed");
    }

    /// Waits until it has ended by itself and returns its exit code.
    pub async fn exit_code(&mut self) -> i32 {
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.expect("a child can be waited for").code().unwrap_or(-1),
            Err(_) => panic!("{} does not end:\n{}", self.name, self.log()),
        }
    }

    /// Asks it to stop and expects that it does so cleanly.
    pub async fn stop(mut self) {
        self.terminate();
        let code = self.exit_code().await;
        assert_eq!(code, 0, "exit code of {}\n{}", self.name, self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() && !matches!(self.child.try_wait(), Ok(None)) {
            eprintln!("note: {} had ended before the test failed", self.name);
        }
        let _ = self.child.start_kill();
        // What it holds in the broker must be free before the test cleans up.
        while matches!(self.child.try_wait(), Ok(None)) {
            std::thread::yield_now();
        }
    }
}

/// The binary under test with nothing in its environment but `settings`.
pub fn command(settings: &BTreeMap<String, String>, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments);
    prepared(command, settings)
}

fn prepared(mut command: Command, settings: &BTreeMap<String, String>) -> Command {
    command.env_clear().envs(settings).env("RUST_BACKTRACE", "1").env("NO_COLOR", "1");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}
