//! Commands that run to their end.

use std::{collections::BTreeMap, fs::File, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{process::Command, time::timeout};

use crate::process::command;

const DEADLINE: Duration = Duration::from_secs(90);

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    /// The exit code; -1 for a signal.
    pub code: i32,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

/// What nobody reads of a command.
#[derive(Debug, Clone, Copy)]
pub enum Streams {
    /// Standard output: its pipe is closed.
    Output,
    /// Standard error too.
    Both,
    /// Standard output, which goes to a disk that is full.
    FullDisk,
}

/// Runs `posthorn` with these arguments to its end.
pub async fn run(settings: &BTreeMap<String, String>, arguments: &[&str]) -> Answer {
    end(command(settings, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()), arguments).await
}

/// The same, though nobody reads what it prints.
pub async fn unread(settings: &BTreeMap<String, String>, arguments: &[&str], streams: Streams) -> Answer {
    let mut command = command(settings, arguments);
    let closed = || std::io::pipe().expect("a pipe can be made").1;
    match streams {
        Streams::Output => command.stdout(closed()).stderr(Stdio::piped()),
        Streams::Both => command.stdout(closed()).stderr(closed()),
        Streams::FullDisk => {
            let full = File::options().write(true).open("/dev/full").expect("there is a full disk");
            command.stdout(full).stderr(Stdio::piped())
        }
    };
    end(&mut command, arguments).await
}

async fn end(command: &mut Command, arguments: &[&str]) -> Answer {
    let started =
        command.spawn().unwrap_or_else(|error| panic!("cannot run posthorn {arguments:?}: {error}"));
    let ended = timeout(DEADLINE, started.wait_with_output()).await;
    let output = ended
        .unwrap_or_else(|_| panic!("posthorn {arguments:?} does not end"))
        .unwrap_or_else(|error| panic!("cannot wait for posthorn {arguments:?}: {error}"));
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Answer {
    /// Expects success and returns stdout.
    pub fn success(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }

    /// Expects success and one JSON value on stdout.
    pub fn json(self) -> Value {
        let stdout = self.success();
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error} in: {stdout}"))
    }

    /// Expects failure and returns stderr.
    pub fn failure(self) -> String {
        assert!(self.code > 0, "{self:?}");
        self.stderr
    }
}
