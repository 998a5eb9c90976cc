//! A receiver of the demo with its webhook, and its lines as they come.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use serde_json::Value;
use xtask::{background::Background, port, process, say, wait};

const LISTENS_WITHIN: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Receiver {
    pub(super) name: &'static str,
    webhook: String,
}

impl Receiver {
    /// Adds a webhook and starts its receiver, which answers with these statuses.
    pub(super) fn add(
        posthorn: &Background,
        name: &'static str,
        statuses: &str,
        events: &[&str],
    ) -> anyhow::Result<Self> {
        let port = port::random_free()?;
        let url = format!("http://127.0.0.1:{port}/{name}");
        let mut add = posthorn.command(&["webhook", "add", "--json", "--name", name, "--url", &url]);
        let added: Value = serde_json::from_str(&process::output(add.args(events))?)?;
        let address = port::local(port).to_string();
        let listen =
            ["listen", "--addr", &address, "--secret", &text(&added, "/secret"), "--statuses", statuses];
        posthorn.start(name, &listen, &[])?;
        let listens = wait::until(LISTENS_WITHIN, || port::answers(port))?;
        ensure!(listens, "the receiver {name} did not start; its log is {}", posthorn.log(name).display());
        say(format!("{name}: answers {statuses} on port {port}"));
        Ok(Self { name, webhook: text(&added, "/id") })
    }

    /// The value at this JSON pointer of what `webhook show` says; `-` if there is none.
    pub(super) fn shows(&self, posthorn: &Background, pointer: &str) -> anyhow::Result<String> {
        let shown = process::output(&mut posthorn.command(&["webhook", "show", &self.webhook, "--json"]))?;
        Ok(text(&serde_json::from_str(&shown).context("webhook show --json")?, pointer))
    }
}

fn text(object: &Value, pointer: &str) -> String {
    match object.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Prints what the receivers print while `act` runs, with their names. Of the healthy one a few lines will
/// do.
pub(super) fn follow<T>(posthorn: &Background, receivers: &[Receiver], act: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for receiver in receivers {
            let most = if receiver.name == "healthy" { 6 } else { 20 };
            let (name, log, is_over) = (receiver.name, posthorn.log(receiver.name), &is_over);
            scope.spawn(move || follow_one(name, log, most, is_over));
        }
        let result = act();
        is_over.store(true, Ordering::Relaxed);
        result
    })
}

fn follow_one(name: &str, path: PathBuf, most: usize, is_over: &AtomicBool) {
    let Ok(mut log) = File::open(&path) else { return };
    let _ = log.seek(SeekFrom::End(0));
    let (mut read, mut shown) = (String::new(), 0);
    while !is_over.load(Ordering::Relaxed) {
        let _ = log.read_to_string(&mut read);
        while let Some((line, rest)) = read.split_once('\n') {
            if shown < most {
                say(format!("{name:<8}| {line}"));
            } else if shown == most {
                say(format!("{name:<8}| … and so on, in {}", path.display()));
            }
            shown += 1;
            read = rest.to_owned();
        }
        thread::sleep(PAUSE);
    }
}
