//! Shows Posthorn at work: events of a project-management product, published over AMQP, go to three
//! receivers, of which one is healthy, one fails twice before it accepts, and one is dead and so gets its
//! webhook disabled. Servers and data are the demo's own, and nothing stays running.

use std::{fs, time::Duration};

use anyhow::{Context, ensure};
use xtask::{background::Background, local, process, repository, say, servers::Servers, wait};

use self::{database::Database, receiver::Receiver};
use super::{up, with_servers};

mod database;
mod receiver;

const ROLES: [&str; 4] = ["router", "dispatcher-1", "dispatcher-2", "recorder"];
const SCHEDULE: &str = "1s,1s,2s,2s,3s";
const EVENTS: &str = "examples/events.jsonl";

pub(crate) fn run() -> anyhow::Result<()> {
    let state = local().join("demo");
    let mut posthorn = Background::of(&state)?;
    let shown = with_servers(&state.join("servers"), |servers| {
        let shown = show(&mut posthorn, servers);
        wait::forget_signal();
        let stopped = posthorn.stop_all();
        shown.and(stopped)
    });
    shown.with_context(|| format!("the demo did not get through; logs are in {}", state.display()))
}

fn show(posthorn: &mut Background, servers: &Servers) -> anyhow::Result<()> {
    heading("Servers");
    let urls = servers.up_unless_given()?;
    up::build()?;
    let database = prepare(posthorn, urls.database_url.as_deref().context("there is a database")?)?;
    posthorn.set("POSTHORN_AMQP_URL", &urls.amqp_url.context("there is a broker")?);
    process::must(&mut posthorn.command(&["migrate"]))?;

    heading("Posthorn: one router, two dispatchers, one recorder");
    posthorn.start_roles(&ROLES)?;

    heading("Receivers and their webhooks");
    let healthy = Receiver::add(posthorn, "healthy", "200", &[])?;
    let flaky = Receiver::add(posthorn, "flaky", "503,503,200", &["--event-types", "file.*"])?;
    let dead = Receiver::add(posthorn, "dead", "500", &["--projects", "prj_office_move"])?;
    let receivers = [healthy, flaky, dead];
    let events = fs::read_to_string(repository().join(EVENTS))?;
    let of_files = events.lines().filter(|line| line.contains("\"type\":\"file.")).count();
    let all = events.lines().filter(|line| !line.is_empty()).count();

    heading(&format!("Publishing {all} events; retries after {SCHEDULE}"));
    let followed = receiver::follow(posthorn, &receivers, || {
        process::must(posthorn.command(&["publish", "--file", EVENTS]).current_dir(repository()))?;
        deliver(posthorn, &database, &receivers, [all, of_files])
    });
    if wait::last_signal().is_none() {
        summarise(posthorn, &database, &receivers, all)?;
    }
    followed
}

/// Settings of the demo, and an empty database.
fn prepare(posthorn: &mut Background, server: &str) -> anyhow::Result<Database> {
    let database = Database::make(server)?;
    posthorn.set("POSTHORN_DATABASE_URL", &database.url);
    posthorn.set("POSTHORN_PREFIX", "posthorn-demo");
    posthorn.set("POSTHORN_RETRY_SCHEDULE", SCHEDULE);
    posthorn.set("POSTHORN_ALLOW_NETWORKS", "127.0.0.0/8");
    posthorn.set("POSTHORN_ALLOW_HTTP", "true");
    posthorn.make_secret_keys()?;
    Ok(database)
}

/// Waits until the dead receiver's webhook is disabled, and the other two accepted so many.
fn deliver(
    posthorn: &Background,
    database: &Database,
    [healthy, flaky, dead]: &[Receiver; 3],
    accepted: [usize; 2],
) -> anyhow::Result<()> {
    let is_disabled = || dead.shows(posthorn, "/state").is_ok_and(|state| state == "disabled");
    let disabled = wait::until(Duration::from_secs(60), is_disabled)?;
    ensure!(disabled, "the webhook of the dead receiver was not disabled within a minute");
    let (reason, at) = (dead.shows(posthorn, "/disabled/reason")?, dead.shows(posthorn, "/disabled/at")?);
    heading(&format!("The webhook 'dead' is disabled: reason {reason}, at {at}"));
    let is_delivered = || {
        let counts = [healthy, flaky].map(|receiver| database.accepted(receiver.name).unwrap_or_default());
        counts == accepted.map(|count| count.to_string())
    };
    ensure!(wait::until(Duration::from_secs(30), is_delivered)?, "not everything was delivered as expected");
    Ok(())
}

fn summarise(
    posthorn: &Background,
    database: &Database,
    receivers: &[Receiver],
    published: usize,
) -> anyhow::Result<()> {
    heading(&format!("Summary: {published} events published, {} recorded", database.events()?));
    let row = |cells: [&str; 6]| {
        let [webhook, state, reason, accepted, failed, waiting] = cells;
        say(format!("{webhook:<9} {state:<9} {reason:<10} {accepted:>9} {failed:>16} {waiting:>8}"));
    };
    row(["webhook", "state", "reason", "accepted", "failed attempts", "waiting"]);
    for receiver in receivers {
        let name = receiver.name;
        row([
            name,
            &receiver.shows(posthorn, "/state")?,
            &receiver.shows(posthorn, "/disabled/reason")?,
            &database.accepted(name)?,
            &database.failed(name)?,
            &receiver.shows(posthorn, "/waiting")?,
        ]);
    }
    Ok(())
}

fn heading(text: &str) {
    say(format!("\n== {text}"));
}
