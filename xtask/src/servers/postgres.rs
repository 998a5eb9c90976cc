//! A private PostgreSQL in `postgres`, reached by TCP only: the path of a socket may not be long.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};

use crate::{packages, process, say, wait};

const STOPS_WITHIN: Duration = Duration::from_secs(60);
const SETTINGS: &str =
    "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 400\n";

pub(super) struct Postgres {
    /// A link, if the data had to go elsewhere.
    link: PathBuf,
    pub(super) port: u16,
}

/// The folder of PostgreSQL's programs: that of `pg_config`, or the newest of Debian's.
pub fn programs() -> Option<PathBuf> {
    let configured = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output().ok();
    let configured = configured.map(|output| String::from_utf8_lossy(&output.stdout).trim().into());
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> = versions.map(|entry| entry.path()).collect();
    versions.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    let debian = versions.into_iter().map(|folder| folder.join("bin"));
    configured.into_iter().chain(debian).find(|folder| folder.join("initdb").exists())
}

/// The command, run by a user that PostgreSQL accepts: it refuses root.
pub(super) fn as_postgres(program: impl AsRef<std::ffi::OsStr>) -> Command {
    if !process::is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program).current_dir("/");
    command
}

impl Postgres {
    pub(super) fn of(folder: &Path, port: u16) -> Self {
        Self { link: folder.join("postgres"), port }
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://posthorn@127.0.0.1:{}/posthorn", self.port)
    }

    /// Where its data and log are.
    pub(super) fn home(&self) -> PathBuf {
        fs::canonicalize(&self.link).unwrap_or_else(|_| self.link.clone())
    }

    pub(super) fn is_made(&self) -> bool {
        self.home().join("data/PG_VERSION").exists()
    }

    /// The postmaster.
    pub(super) fn process(&self) -> Option<u32> {
        let data = self.home().join("data");
        process::named_by(&data.join("postmaster.pid"), &data)
    }

    pub(super) fn start(&self) -> anyhow::Result<()> {
        if self.process().is_some() {
            say(format!("PostgreSQL: already running on port {}", self.port));
            return Ok(());
        }
        if !self.is_made() {
            self.make()?;
        }
        let home = self.home();
        forget_stale_pid(&home.join("data/postmaster.pid"))?;
        let mut start = as_postgres(installed()?.join("pg_ctl"));
        start.args(["start", "--wait", "--timeout=60", "--silent", "-D"]).arg(home.join("data"));
        start.arg("-l").arg(home.join("log")).args(["-o", &format!("-p {}", self.port)]);
        let started = start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(started.success(), "PostgreSQL did not start: see {}", home.join("log").display());
        self.create_database()?;
        say(format!("PostgreSQL: running on port {}", self.port));
        Ok(())
    }

    /// Makes its data.
    pub(super) fn make(&self) -> anyhow::Result<()> {
        let programs = installed()?;
        self.remove()?;
        let home = self.make_home()?;
        let mut initdb = as_postgres(programs.join("initdb"));
        initdb.arg("-D").arg(home.join("data"));
        initdb.args(["--username=posthorn", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]);
        let made = initdb.args(["--no-sync", "--no-instructions"]).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&made.stderr);
        ensure!(made.status.success(), "PostgreSQL could not make its data folder: {said}");
        self.configure(SETTINGS)
    }

    /// A folder of the user postgres: elsewhere, if that user may not enter this one.
    fn make_home(&self) -> anyhow::Result<PathBuf> {
        let folder = self.link.parent().context("a folder has a parent")?;
        let may_enter = as_postgres("test").arg("-x").arg(folder).status()?.success();
        if !process::is_root() {
            fs::create_dir(&self.link)?;
        } else if may_enter {
            process::must(Command::new("install").args(["-d", "-o", "postgres"]).arg(&self.link))?;
        } else {
            let home =
                process::output(as_postgres("mktemp").args(["-d", "/var/tmp/posthorn-postgres.XXXXXX"]))?;
            symlink(&home, &self.link)?;
            say(format!("PostgreSQL: its user may not enter {}, so the data is in {home}", folder.display()));
        }
        Ok(self.home())
    }

    /// Adds settings.
    pub(super) fn configure(&self, settings: &str) -> anyhow::Result<()> {
        let file = self.home().join("data/postgresql.conf");
        OpenOptions::new().append(true).open(file)?.write_all(settings.as_bytes())?;
        Ok(())
    }

    fn create_database(&self) -> anyhow::Result<()> {
        let psql = |sql: &str| {
            let mut command = Command::new(installed()?.join("psql"));
            command.args(["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-U", "posthorn", "-d", "postgres"]);
            process::output(command.args(["-p", &self.port.to_string(), "-c", sql]))
        };
        if psql("SELECT 1 FROM pg_database WHERE datname = 'posthorn'")?.is_empty() {
            psql("CREATE DATABASE posthorn")?;
        }
        Ok(())
    }

    /// A fast shutdown: open sessions are ended, the data is left clean.
    pub(super) fn stop(&self) -> anyhow::Result<()> {
        let Some(postmaster) = self.process() else {
            say("PostgreSQL: not running");
            return Ok(());
        };
        process::signal(postmaster, "INT")?;
        if !wait::until(STOPS_WITHIN, || !process::is_alive(postmaster))? {
            bail!("PostgreSQL (process {postmaster}) does not stop");
        }
        say("PostgreSQL: stopped");
        Ok(())
    }

    /// Deletes its data.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        let home = self.home();
        if home.exists() {
            fs::remove_dir_all(home)?;
        }
        if self.link.is_symlink() {
            fs::remove_file(&self.link)?;
        }
        Ok(())
    }
}

fn installed() -> anyhow::Result<PathBuf> {
    packages::provide("postgresql", || programs().is_some())?;
    programs().context("PostgreSQL is installed")
}

/// PostgreSQL treats the pid file of a crashed server well, unless something else got its process id.
fn forget_stale_pid(file: &Path) -> anyhow::Result<()> {
    if process::written_in(file).is_some_and(process::is_alive) {
        fs::remove_file(file)?;
    }
    Ok(())
}
