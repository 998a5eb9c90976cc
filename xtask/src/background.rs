//! Posthorn's processes in the background: their pid files and logs are in a folder, in which they work.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::bail;

use crate::{binary, http, port, process, say, wait};

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// Processes of an installation.
#[derive(Debug)]
pub struct Background {
    folder: PathBuf,
    /// Their environment, besides that of this process.
    pub settings: Vec<(String, String)>,
}

impl Background {
    /// Those of a folder.
    pub fn of(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), settings: Vec::new() })
    }

    /// Adds a setting.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Adds a setting, unless the environment has it; answers what is in force.
    pub fn set_unless_given(&mut self, name: &str, value: &str) -> String {
        let value = std::env::var(name).unwrap_or_else(|_| value.to_owned());
        self.set(name, &value);
        value
    }

    /// Makes the key ring for webhooks' secrets, unless there is one.
    pub fn make_secret_keys(&mut self) -> anyhow::Result<()> {
        let file = self.folder.join("secret-keys");
        if !fs::metadata(&file).is_ok_and(|file| file.len() > 0) {
            let key = process::output(std::process::Command::new(binary()).arg("key"))?;
            crate::servers::write_privately(&file, &format!("{key}\n"))?;
        }
        self.set("POSTHORN_SECRET_KEYS_FILE", &file.display().to_string());
        Ok(())
    }

    /// `posthorn` with these arguments and the settings.
    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(binary());
        command.args(arguments).envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.env_remove("POSTHORN_SECRET_KEYS").stdin(Stdio::null());
        command
    }

    /// Where the output of the process of this name goes.
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    /// The running process of this name.
    pub fn process(&self, name: &str) -> Option<u32> {
        process::named_by(&self.folder.join(format!("{name}.pid")), &self.folder)
    }

    /// Starts `posthorn` with these arguments under a name, with settings of its own.
    pub fn start(&self, name: &str, arguments: &[&str], own: &[(&str, &str)]) -> anyhow::Result<()> {
        File::create(self.log(name))?;
        let mut words = vec![binary().display().to_string()];
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        let mut command = process::detached(&words, &self.folder, &self.log(name))?;
        command.envs(self.settings.iter().map(|(name, value)| (name, value))).envs(own.iter().copied());
        command.env_remove("POSTHORN_SECRET_KEYS");
        process::start(command, &self.folder.join(format!("{name}.pid")))
    }

    /// Starts those roles that don't run, and waits until all are ready. What follows a hyphen in a name
    /// tells several of one role apart.
    pub fn start_roles(&self, names: &[&str]) -> anyhow::Result<()> {
        for name in names {
            if self.process(name).is_some() {
                say(format!("{name}: already running"));
                continue;
            }
            let port = port::random_free()?;
            fs::write(self.port_file(name), port.to_string())?;
            let admin = port::local(port).to_string();
            let role = name.split('-').next().unwrap_or(name);
            self.start(name, &[role], &[("POSTHORN_ADMIN_ADDR", &admin)])?;
        }
        names.iter().try_for_each(|name| self.wait_for(name))
    }

    fn wait_for(&self, name: &str) -> anyhow::Result<()> {
        let admin = port::local(fs::read_to_string(self.port_file(name))?.trim().parse()?);
        let mut ended = false;
        let ready = wait::until(READY_WITHIN, || {
            ended = self.process(name).is_none();
            ended || http::is_ok(admin, "/readyz")
        })?;
        if ended || !ready {
            let said = fs::read_to_string(self.log(name)).unwrap_or_default();
            let lines: Vec<_> = said.lines().rev().take(20).collect();
            lines.iter().rev().for_each(say);
            let missing = http::get(admin, "/readyz", None).map(|(_, body)| body).unwrap_or_default();
            bail!("{name} did not become ready {missing}; its log is {}", self.log(name).display());
        }
        say(format!("{name}: ready (status: http://{admin}/readyz)"));
        Ok(())
    }

    fn port_file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.port"))
    }

    /// Stops every process that has a pid file here.
    pub fn stop_all(&self) -> anyhow::Result<()> {
        let files = fs::read_dir(&self.folder)?.flatten().map(|entry| entry.path());
        let files: Vec<_> = files.filter(|file| file.extension().is_some_and(|kind| kind == "pid")).collect();
        let running: Vec<_> = files.iter().filter_map(|file| process::named_by(file, &self.folder)).collect();
        for id in &running {
            process::signal(*id, "TERM")?;
        }
        for id in &running {
            if !wait::until(STOPS_WITHIN, || !process::is_alive(*id))? {
                process::signal(*id, "KILL")?;
            }
        }
        for file in files {
            fs::remove_file(file)?;
        }
        if !running.is_empty() {
            say(format!("Posthorn: {} processes stopped", running.len()));
        }
        Ok(())
    }
}
