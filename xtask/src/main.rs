//! `cargo xtask`: the everyday commands, for `make`, CI and people.

use std::{env, process::ExitCode};

use anyhow::bail;
use xtask::wait;

mod commands;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo                    show Posthorn at work, on servers of its own
  up | down               start servers and roles and leave them running; stop them
  test [ARGUMENTS]        run every test; the arguments go to the test runner
  test-rabbitmq4 [ARGUMENTS]
                          the same on the RabbitMQ of Debian 13; needs root
  check                   formatting, lints, documentation, dependencies
  bench [ARGUMENTS]       measure against the bare broker; --list tells what
  bench-api               measure the API's lists over a million attempts
  servers COMMAND [DIR]   private servers: `cargo xtask servers help`
  install PACKAGE…        install Debian packages without starting their services";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match wait::catch_signals().map_err(Into::into).and_then(|()| run(&words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(wait::last_signal().map_or(1, |signal| 128 + signal as u8))
        }
    }
}

fn run(words: &[&str]) -> anyhow::Result<()> {
    let (command, arguments) = words.split_first().unwrap_or((&"help", &[]));
    match *command {
        "demo" => commands::demo::run(),
        "up" => commands::up::run(),
        "down" => commands::down::run(),
        "test" => commands::test::run(arguments),
        "test-rabbitmq4" => commands::rabbitmq4::run(arguments),
        "check" => commands::check::run(),
        "bench" => commands::bench::run(arguments),
        "bench-api" => commands::lists::run(),
        "servers" => commands::servers::run(arguments),
        "install" => arguments.iter().try_for_each(|package| xtask::packages::install(package)),
        "help" | "-h" | "--help" => {
            println!("{USAGE}");
            Ok(())
        }
        unknown => bail!("there is no command `{unknown}`\n{USAGE}"),
    }
}
