//! A private RabbitMQ node in `broker`, without plugins.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{bail, ensure};

use super::{debian, epmd::Epmd, ports::Ports, settings::write_privately};
use crate::{packages, port, process, say, wait};

/// Not Debian's wrapper in PATH, which switches users.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";
const STARTS_WITHIN: Duration = Duration::from_secs(60);
const STOPS_WITHIN: Duration = Duration::from_secs(30);
/// Bounds the disk and memory that an idle node keeps for quorum queues (default 512 MB).
const SETTINGS: &str = "log.file.level = info\nraft.wal_max_size_bytes = 67108864\n";
/// Enough for many connections and queues; a huge limit makes Erlang slow to start.
const OPEN_FILES: u64 = 65_536;

pub(super) struct Broker<'a> {
    folder: &'a Path,
    home: PathBuf,
    ports: &'a Ports,
}

impl<'a> Broker<'a> {
    pub(super) fn of(folder: &'a Path, ports: &'a Ports) -> Self {
        Self { folder, home: folder.join("broker"), ports }
    }

    pub(super) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.ports.amqp)
    }

    /// The Erlang VM.
    pub(super) fn process(&self) -> Option<u32> {
        process::named_by(&self.home.join("vm.pid"), &self.home)
    }

    /// Whether what was started lives. On its way into another Debian it works in other folders for a moment.
    fn is_alive(&self) -> bool {
        process::written_in(&self.home.join("vm.pid")).is_some_and(process::is_alive)
    }

    /// Starts the node without waiting for it; answers whether it did not run.
    pub(super) fn launch(&self) -> anyhow::Result<bool> {
        if self.process().is_some() {
            say(format!("RabbitMQ: already running on port {}", self.ports.amqp));
            return Ok(false);
        }
        if debian::other().is_none() {
            packages::provide("rabbitmq-server", || Path::new(PROGRAMS).join("rabbitmq-server").exists())?;
        }
        self.prepare()?;
        self.epmd().start()?;
        let mut words = vec!["prlimit".to_owned(), format!("--nofile={}:", open_files())];
        words.extend(self.command("rabbitmq-server"));
        let command = process::detached(&words, &self.home, &self.home.join("output.log"))?;
        process::start(command, &self.home.join("vm.pid"))?;
        Ok(true)
    }

    fn prepare(&self) -> anyhow::Result<()> {
        fs::create_dir_all(&self.home)?;
        let cookie = self.home.join(".erlang.cookie");
        if !cookie.exists() {
            write_privately(&cookie, &format!("cookie{:016x}", port::random()?))?;
        }
        fs::write(self.home.join("enabled_plugins"), "[].\n")?;
        fs::write(self.home.join("rabbitmq.conf"), SETTINGS)?;
        fs::write(self.home.join("output.log"), "")?;
        Ok(())
    }

    /// The words that run one of RabbitMQ's programs with the settings of this node and no others.
    fn command(&self, program: &str) -> Vec<String> {
        let (home, ports) = (self.home.display(), self.ports);
        let mut words = debian::inside(self.folder);
        words.extend(["env", "-C", &home.to_string(), "-i"].map(str::to_owned));
        words.extend([
            format!("PATH={}", std::env::var("PATH").unwrap_or_default()),
            "LANG=C.UTF-8".to_owned(),
            format!("HOME={home}"),
            // The start script becomes the VM instead of guarding it: what is killed is the VM.
            "RUNNING_UNDER_SYSTEMD=1".to_owned(),
            // Waiting busily for microseconds halves the time to start on a virtual machine, and costs
            // nothing when idle.
            "RABBITMQ_SCHEDULER_BUSY_WAIT_THRESHOLD=very_short".to_owned(),
            format!("ERL_EPMD_PORT={}", ports.epmd),
            "ERL_EPMD_ADDRESS=127.0.0.1".to_owned(),
            format!("RABBITMQ_NODENAME={}", ports.node),
            format!("RABBITMQ_DIST_PORT={}", ports.distribution),
            "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1".to_owned(),
            format!("RABBITMQ_NODE_PORT={}", ports.amqp),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}".to_owned(),
            format!("RABBITMQ_MNESIA_BASE={home}/data"),
            format!("RABBITMQ_LOG_BASE={home}/log"),
            format!("RABBITMQ_PID_FILE={home}/rabbitmq.pid"),
            format!("RABBITMQ_CONFIG_FILE={home}/rabbitmq.conf"),
            format!("RABBITMQ_CONFIG_FILES={home}/conf.d"),
            format!("RABBITMQ_CONF_ENV_FILE={home}/rabbitmq-env.conf"),
            format!("RABBITMQ_ADVANCED_CONFIG_FILE={home}/advanced.config"),
            format!("RABBITMQ_ENABLED_PLUGINS_FILE={home}/enabled_plugins"),
            format!("{PROGRAMS}/{program}"),
        ]);
        words
    }

    /// Waits until the node greets an AMQP client.
    pub(super) fn wait(&self) -> anyhow::Result<()> {
        let mut ended = false;
        let answers = wait::until(STARTS_WITHIN, || {
            ended = !self.is_alive();
            ended || self.answers().unwrap_or_default()
        })?;
        if ended || !answers {
            bail!("RabbitMQ did not start: see output.log and log in {}", self.home.display());
        }
        say(format!("RabbitMQ: running on port {}", self.ports.amqp));
        Ok(())
    }

    fn answers(&self) -> std::io::Result<bool> {
        let timeout = Duration::from_secs(5);
        let mut stream = TcpStream::connect_timeout(&port::local(self.ports.amqp), timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.write_all(b"AMQP\x00\x00\x09\x01")?;
        Ok(stream.read(&mut [0])? == 1)
    }

    pub(super) fn stop(&self) -> anyhow::Result<()> {
        match self.process() {
            Some(vm) => {
                process::stop(vm, "TERM", STOPS_WITHIN)?;
                fs::remove_file(self.home.join("vm.pid"))?;
                say("RabbitMQ: stopped");
            }
            None => say("RabbitMQ: not running"),
        }
        self.epmd().stop()
    }

    pub(super) fn stop_epmd(&self) -> anyhow::Result<()> {
        self.epmd().stop()
    }

    pub(super) fn kill(&self) -> anyhow::Result<()> {
        let Some(vm) = self.process() else { bail!("RabbitMQ is not running in {}", self.home.display()) };
        process::signal(vm, "KILL")?;
        let is_dead = wait::until(Duration::from_secs(10), || !process::is_alive(vm))?;
        ensure!(is_dead, "RabbitMQ (process {vm}) does not die");
        say("RabbitMQ: killed");
        Ok(())
    }

    pub(super) fn control(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let words = self.command("rabbitmqctl");
        let mut command = std::process::Command::new(&words[0]);
        process::must(command.args(&words[1..]).args(arguments))
    }

    fn epmd(&self) -> Epmd {
        Epmd::of(self.folder, self.ports.epmd)
    }
}

/// The number of open files to allow the node: no more than this process may allow.
fn open_files() -> u64 {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    hard.map_or(OPEN_FILES, |hard: u64| hard.min(OPEN_FILES))
}
