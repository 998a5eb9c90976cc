//! The posthorn binary: every role as a subcommand, and commands for people.

// Its `println!` and `eprintln!` are those of all modules below.
#[macro_use]
mod output;

mod admin;
mod client;
mod command_line;
mod commands;
mod lifecycle;
mod roles;
mod settings;
mod telemetry;

use std::process::ExitCode;

use client::ApiError;
use command_line::{Command, CommandLine, run};

/// A third of the dispatcher's time went to the C library's allocator (docs/performance.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Of a command that may well succeed later: the API cannot be reached, or puts the request off.
const TRY_LATER: u8 = 75;

#[tokio::main]
async fn main() -> ExitCode {
    let CommandLine { log, command } = CommandLine::read();
    telemetry::init(&log);
    // One TLS implementation for all clients; whoever came first is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    if let Command::Pattern(command) = command {
        return command.run().unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            ExitCode::from(commands::pattern::CANNOT_TELL)
        });
    }
    match run(command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            match error.downcast_ref::<ApiError>().is_some_and(ApiError::is_temporary) {
                true => ExitCode::from(TRY_LATER),
                false => ExitCode::FAILURE,
            }
        }
    }
}
