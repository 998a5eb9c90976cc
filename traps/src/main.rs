//! `posthorn-traps`: opens all traps and waits for a signal to stop.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use posthorn_traps::{Settings, Traps, catalogue, table};
use tokio::signal::unix::{SignalKind, signal};

/// Receivers of webhooks that misbehave, each on a port of 127.0.0.1 and in a way of its own.
#[derive(Debug, Parser)]
struct Options {
    /// The port of the name server; the traps have those after it.
    #[arg(long, default_value_t = 7400)]
    port: u16,
    /// The longest that a conversation lasts, in seconds.
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// The most that a trap writes in a conversation, in bytes.
    #[arg(long, default_value_t = 64 << 20)]
    most_bytes: u64,
    /// Writes the certificate that clients must trust into this file, as PEM.
    #[arg(long)]
    authority: Option<PathBuf>,
    /// Prints the tables of README.md and ends.
    #[arg(long)]
    table: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    if options.table {
        say(&table());
        return ExitCode::SUCCESS;
    }
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> io::Result<()> {
    let (mut interrupted, mut terminated) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let Options { port, most_bytes, .. } = options;
    let patience = Duration::from_secs(options.patience);
    let traps = Traps::start(Settings { port, patience, most_bytes }).await?;
    if let Some(path) = options.authority {
        fs::write(path, traps.authority())?;
    }
    say(&list(&traps));
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    traps.stop().await;
    Ok(())
}

fn list(traps: &Traps) -> String {
    let urls = catalogue::all().iter().map(|trap| format!("{:30} {}\n", trap.name, traps.url(&trap.name)));
    format!("name server: {}\n{}stop with Ctrl-C\n", traps.name_server(), urls.collect::<String>())
}

/// Who has closed the pipe has read enough.
fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}
