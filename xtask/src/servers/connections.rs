//! What tests of connections need besides a PostgreSQL: TLS, a socket, users that may come in only one
//! way, and a PgBouncer with session pooling before it.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};

use super::postgres::{Postgres, as_postgres};
use crate::{packages, port, process, wait};

const PGBOUNCER: &str = "/usr/sbin/pgbouncer";
const PATIENCE: Duration = Duration::from_secs(20);
/// An authority, and a certificate of it for `localhost`, not for the address; and one that the server
/// signed itself.
const CERTIFICATES: &str = include_str!("connections/certificates.sh");
/// The users only_tls and only_plain come in by one way each.
const WAYS_IN: &str = "\
local     all all                              trust
hostssl   all only_tls            127.0.0.1/32 trust
hostnossl all only_plain          127.0.0.1/32 trust
host      all only_tls,only_plain all          reject
host      all all                 127.0.0.1/32 trust
host      all all                 ::1/128      trust
";

/// Ways to a PostgreSQL.
#[derive(Debug, Clone)]
pub struct Connections {
    /// The port of PgBouncer.
    pub pgbouncer: u16,
    /// The folder with certificates of the authority (`ca.crt`), of the server, and its own (`own.crt`).
    pub certificates: PathBuf,
    /// The folder with the socket.
    pub sockets: PathBuf,
}

/// Installs what is missing.
pub fn provide() -> anyhow::Result<()> {
    packages::provide("pgbouncer", || Path::new(PGBOUNCER).exists())?;
    packages::provide_command("openssl", "openssl")
}

pub(super) fn start(postgres: &Postgres) -> anyhow::Result<Connections> {
    provide()?;
    if !postgres.is_made() {
        postgres.make()?;
        prepare(postgres)?;
    }
    postgres.start()?;
    let home = postgres.home();
    let pgbouncer = start_pgbouncer(&home, postgres.port)?;
    let sockets = fs::read_link(home.join("socket"))?;
    Ok(Connections { pgbouncer, certificates: home, sockets })
}

fn prepare(postgres: &Postgres) -> anyhow::Result<()> {
    let home = postgres.home();
    let mut certificates = as_postgres("bash");
    let made = certificates.args(["-c", CERTIFICATES]).arg(&home).stdin(Stdio::null()).output()?;
    ensure!(made.status.success(), "cannot make certificates: {}", String::from_utf8_lossy(&made.stderr));
    // Elsewhere: the path of a socket may not be long.
    let socket = process::output(as_postgres("mktemp").args(["-d", "/tmp/posthorn-socket.XXXXXX"]))?;
    process::must(as_postgres("chmod").args(["755", &socket]))?;
    symlink(&socket, home.join("socket"))?;
    let home = home.display();
    postgres.configure(&format!(
        "ssl = on\nssl_cert_file = '{home}/server.crt'\nssl_key_file = '{home}/server.key'\n\
         unix_socket_directories = '{socket}'\n"
    ))?;
    fs::write(postgres.home().join("data/pg_hba.conf"), WAYS_IN).context("cannot write pg_hba.conf")
}

fn start_pgbouncer(home: &Path, postgres: u16) -> anyhow::Result<u16> {
    let pgbouncer = port::random_free()?;
    let (file, users, home) = (home.join("pgbouncer.ini"), home.join("users"), home.display());
    let settings = format!(
        "[databases]\n* = host=127.0.0.1 port={postgres}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {pgbouncer}\nunix_socket_dir =\nauth_type = trust\nauth_file = {home}/users\n\
         pool_mode = session\ndefault_pool_size = 50\npidfile = {home}/pgbouncer.pid\n\
         logfile = {home}/pgbouncer.log\n"
    );
    fs::write(&file, settings)?;
    fs::write(users, "\"posthorn\" \"\"\n")?;
    let mut start = as_postgres(PGBOUNCER);
    start.args(["-q", "-d"]).arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    process::must(&mut start)?;
    ensure!(wait::until(PATIENCE, || port::answers(pgbouncer))?, "PgBouncer does not listen: {home}");
    Ok(pgbouncer)
}

pub(super) fn stop(postgres: &Postgres) -> anyhow::Result<()> {
    let id = process::written_in(&postgres.home().join("pgbouncer.pid"));
    match id.filter(|id| is_pgbouncer(*id)) {
        Some(id) => process::stop(id, "INT", PATIENCE),
        None => Ok(()),
    }
}

fn is_pgbouncer(id: u32) -> bool {
    process::is_alive(id)
        && fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == "pgbouncer")
}

pub(super) fn remove(postgres: &Postgres) -> anyhow::Result<()> {
    if let Ok(sockets) = fs::read_link(postgres.home().join("socket")) {
        process::must(Command::new("rm").arg("-rf").arg(sockets))?;
    }
    Ok(())
}
