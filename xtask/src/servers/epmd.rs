//! Erlang's port mapper, one for each folder: the system's own is left alone.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::ensure;

use super::debian;
use crate::{port, process, wait};

const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Epmd {
    home: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Epmd {
    pub(super) fn of(folder: &Path, port: u16) -> Self {
        Self { home: folder.join("broker"), folder: folder.to_owned(), port }
    }

    pub(super) fn start(&self) -> anyhow::Result<()> {
        if self.process().is_some() {
            return Ok(());
        }
        let mut words = debian::inside(&self.folder);
        let home = self.home.display().to_string();
        words.extend(["env", "-C", &home, "epmd", "-port"].map(str::to_owned));
        words.extend([self.port.to_string(), "-address".to_owned(), "127.0.0.1".to_owned()]);
        let command = process::detached(&words, &self.home, &self.home.join("output.log"))?;
        process::start(command, &self.pid_file())?;
        let answers = wait::until(PATIENCE, || port::answers(self.port))?;
        ensure!(answers, "epmd, which Erlang needs, does not start: {home}/output.log");
        Ok(())
    }

    pub(super) fn stop(&self) -> anyhow::Result<()> {
        if let Some(process) = self.process() {
            process::stop(process, "TERM", PATIENCE)?;
            fs::remove_file(self.pid_file())?;
        }
        Ok(())
    }

    fn process(&self) -> Option<u32> {
        process::named_by(&self.pid_file(), &self.home)
    }

    fn pid_file(&self) -> PathBuf {
        self.home.join("epmd.pid")
    }
}
