//! Measures the API's lists over a million attempts, and prints the plan of each query.
//!
//! Private servers, a generated history and one client that makes one request after the other. For each
//! list: the median and the slowest of 30 requests, in milliseconds, from outside. `POSTHORN_BIN` names the
//! binary; without it, that of the last debug build. Plans go to `.local/bench-api/plans`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, ensure};
use xtask::{
    background::Background,
    http, local, port, process, say,
    servers::{Servers, postgres_programs},
    wait,
};

use self::list::List;
use super::with_servers;

mod list;

const HISTORY: &str = include_str!("lists/history.sql");
const TOKEN: &str = "pht_only-for-this-benchmark-on-this-machine";
const REQUESTS: usize = 30;

struct Measured {
    api: SocketAddr,
    database: String,
    state: PathBuf,
}

pub(crate) fn run() -> anyhow::Result<()> {
    let state = local().join("bench-api");
    let mut posthorn = Background::of(&state)?;
    with_servers(&state.join("servers"), |servers| {
        let measured = measure(&mut posthorn, servers, &state);
        wait::forget_signal();
        let stopped = posthorn.stop_all();
        measured.and(stopped)
    })
}

fn measure(posthorn: &mut Background, servers: &Servers, state: &Path) -> anyhow::Result<()> {
    let urls = servers.up()?;
    urls.variables().for_each(|(name, value)| posthorn.set(name, value));
    let api = port::local(port::random_free()?);
    let settings = [("ADMIN_TOKEN", TOKEN), ("ALLOW_HTTP", "true"), ("API_RATE", "100000")];
    settings.iter().for_each(|(name, value)| posthorn.set(&format!("POSTHORN_{name}"), value));
    posthorn.set("POSTHORN_API_ADDR", &api.to_string());
    posthorn.make_secret_keys()?;
    process::must(&mut posthorn.command(&["migrate"]))?;
    let database = urls.database_url.context("there is a database")?;
    let measured = Measured { api, database, state: state.to_owned() };
    say("generating the history");
    measured.sql(HISTORY)?;
    // A router declares the webhooks' queues, which lists look at.
    posthorn.start_roles(&["router", "api"])?;

    println!("{:<52} {:>7} {:>7}", "milliseconds", "median", "slowest");
    for list in measured.lists()? {
        measured.time(&list)?;
    }
    posthorn.stop_all()?;
    measured.explain_queries()?;
    posthorn.start_roles(&["api"])?;
    measured.print_plans(servers)
}

impl Measured {
    fn lists(&self) -> anyhow::Result<Vec<List>> {
        let ago = |days| {
            let format = "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'";
            self.ask(&format!(
                "SELECT to_char((now() - interval '{days} days') AT TIME ZONE 'utc', {format})"
            ))
        };
        list::all(ago, |path| {
            let page = http::get(self.api, path, Some(TOKEN))?.1;
            let page: serde_json::Value = serde_json::from_str(&page).with_context(|| path.to_owned())?;
            Ok(page["next_cursor"].as_str().with_context(|| format!("{path} has one page"))?.to_owned())
        })
    }

    fn time(&self, list: &List) -> anyhow::Result<()> {
        let mut times = Vec::new();
        for _ in 0..=REQUESTS {
            let begun = Instant::now();
            let (status, body) = http::get(self.api, &list.path, Some(TOKEN))?;
            ensure!(status == 200, "{} is refused: {body}", list.path);
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        times.remove(0); // the first fills caches
        times.sort_by(f64::total_cmp);
        println!("{:<52} {:>7.1} {:>7.1}", list.name, times[REQUESTS / 2 - 1], times[REQUESTS - 1]);
        Ok(())
    }

    /// From now on the server logs the plan of each query.
    fn explain_queries(&self) -> anyhow::Result<()> {
        self.sql(
            "ALTER DATABASE posthorn SET session_preload_libraries = 'auto_explain';
             ALTER DATABASE posthorn SET auto_explain.log_min_duration = 0;
             ALTER DATABASE posthorn SET auto_explain.log_analyze = on;
             ALTER DATABASE posthorn SET auto_explain.log_buffers = on;",
        )
    }

    fn print_plans(&self, servers: &Servers) -> anyhow::Result<()> {
        let log = servers.folder().join("postgres/log");
        let mut plans = String::new();
        for list in self.lists()? {
            let before = fs::read(&log)?.len();
            http::get(self.api, &list.path, Some(TOKEN))?;
            let logged = fs::read(&log)?.split_off(before);
            let logged = String::from_utf8_lossy(&logged);
            let plan = logged.find("plan:").map_or("", |start| &logged[start..]);
            plans += &format!("--- {}: GET {}\n{plan}", list.name, list.path);
        }
        let file = self.state.join("plans");
        fs::write(&file, plans)?;
        say(format!("the plans are in {}", file.display()));
        Ok(())
    }

    fn sql(&self, script: &str) -> anyhow::Result<()> {
        let file = self.state.join("script.sql");
        fs::write(&file, script)?;
        process::must(self.psql()?.args(["-v", "ON_ERROR_STOP=1", "-f"]).arg(file))
    }

    fn ask(&self, query: &str) -> anyhow::Result<String> {
        process::output(self.psql()?.args(["-A", "-t", "-c", query]))
    }

    fn psql(&self) -> anyhow::Result<Command> {
        let programs = postgres_programs().context("PostgreSQL is installed")?;
        let mut psql = Command::new(programs.join("psql"));
        psql.args(["-X", "-q", &self.database]);
        Ok(psql)
    }
}
