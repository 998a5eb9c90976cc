//! Commands that run to their end.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use tokio::time::timeout;

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

/// Runs `posthorn` with these arguments to its end.
pub async fn run(settings: &BTreeMap<String, String>, arguments: &[&str]) -> Answer {
    let ended = timeout(DEADLINE, command(settings, arguments).output()).await;
    let output = ended
        .unwrap_or_else(|_| panic!("posthorn {arguments:?} does not end"))
        .unwrap_or_else(|error| panic!("cannot run posthorn {arguments:?}: {error}"));
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
