//! Private servers from the shell.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use xtask::{local, servers::Servers};

const USAGE: &str = "\
usage: cargo xtask servers COMMAND [DIR]     (DIR: .local/servers unless given)

  up               start both servers, or say that they run already
  down             stop them; their data stays for the next `up`
  env              print the `export POSTHORN_…` lines that lead to them
  remove           stop them and delete DIR

For fault tests, DIR required; ports and data stay the same:
  stop-broker      stop RabbitMQ as an operator would
  kill-broker      SIGKILL it
  start-broker     start it again
  stop-postgres    stop PostgreSQL (fast shutdown)
  start-postgres   start it again
  control          run rabbitmqctl with the arguments behind DIR

With POSTHORN_AMQP_URL or POSTHORN_DATABASE_URL set, `up` starts nothing for that server and records the
given URL. That holds for DIRs that are .local/servers or .local/*/servers; any other is always private.";

pub(crate) fn run(words: &[&str]) -> anyhow::Result<()> {
    let command = words.first().copied().unwrap_or("help");
    if ["help", "-h", "--help"].contains(&command) {
        println!("{USAGE}");
        return Ok(());
    }
    let folder = words.get(1).map(PathBuf::from);
    let named =
        || folder.clone().with_context(|| format!("{command} needs the DIR of servers that were started"));
    let servers = Servers::of(&folder.clone().unwrap_or_else(|| local().join("servers")))?;
    match command {
        "up" if may_be_given(servers.folder()) => servers.up_unless_given().map(drop),
        "up" => servers.up().map(drop),
        "down" => servers.down(),
        "env" => servers.settings().map(|settings| print!("{}", settings.exports())),
        "remove" => servers.remove(),
        "stop-broker" => named().and_then(|_| servers.stop_broker()),
        "kill-broker" => named().and_then(|_| servers.kill_broker()),
        "start-broker" => named().and_then(|_| servers.start_broker()),
        "stop-postgres" => named().and_then(|_| servers.stop_postgres()),
        "start-postgres" => named().and_then(|_| servers.start_postgres()),
        "control" => named().and_then(|_| servers.control(&words[2..])),
        unknown => bail!("there is no command `{unknown}`\n{USAGE}"),
    }
}

fn may_be_given(folder: &Path) -> bool {
    let parent = folder.parent();
    folder.ends_with("servers")
        && (parent == Some(&local()) || parent.and_then(Path::parent) == Some(&local()))
}
