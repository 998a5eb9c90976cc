//! Starts Posthorn for use on this machine and leaves it running: servers, router, two dispatchers,
//! recorder, API. Safe to run twice.

use std::{env, fs, path::Path};

use xtask::{
    background::Background,
    binary, cargo, local, port, process, say,
    servers::{Servers, export, write_privately},
};

const ROLES: [&str; 5] = ["router", "dispatcher-1", "dispatcher-2", "recorder", "api"];

pub(crate) fn run() -> anyhow::Result<()> {
    let state = local().join("up");
    let mut posthorn = Background::of(&state)?;
    let servers = Servers::of(&local().join("servers"))?.up_unless_given()?;
    build()?;
    servers.variables().for_each(|(name, value)| posthorn.set(name, value));
    // Settings that suit one machine: receivers on loopback, over plain HTTP. All others are the defaults.
    posthorn.set_unless_given("POSTHORN_PREFIX", "posthorn");
    posthorn.set_unless_given("POSTHORN_ALLOW_NETWORKS", "127.0.0.0/8");
    posthorn.set_unless_given("POSTHORN_ALLOW_HTTP", "true");
    posthorn.make_secret_keys()?;
    let api = choose_api_address(&posthorn, &state)?;
    let token = admin_token(&state)?;
    write_privately(&state.join("env"), &exports(&posthorn, &api, &token))?;
    posthorn.set("POSTHORN_API_ADDR", &api);
    posthorn.set("POSTHORN_ADMIN_TOKEN_FILE", &state.join("admin-token").display().to_string());
    process::must(&mut posthorn.command(&["migrate"]))?;
    posthorn.start_roles(&ROLES)?;
    explain(&api);
    Ok(())
}

pub(crate) fn build() -> anyhow::Result<()> {
    say("Building posthorn (a few minutes the first time)");
    cargo::build(&["--bin", "posthorn"])
}

/// Port 8080 if it is free, and the same as before while the API runs.
fn choose_api_address(posthorn: &Background, state: &Path) -> anyhow::Result<String> {
    let file = state.join("api-address");
    if posthorn.process("api").is_none() {
        let port = if port::is_free(8080) { 8080 } else { port::random_free()? };
        fs::write(&file, port::local(port).to_string())?;
    }
    Ok(fs::read_to_string(file)?.trim().to_owned())
}

fn admin_token(state: &Path) -> anyhow::Result<String> {
    let file = state.join("admin-token");
    if !file.exists() {
        let token = format!("pht_{:016x}{:016x}{:016x}", port::random()?, port::random()?, port::random()?);
        write_privately(&file, &token)?;
    }
    Ok(fs::read_to_string(file)?.trim().to_owned())
}

/// What a shell needs to use it.
fn exports(posthorn: &Background, api: &str, token: &str) -> String {
    let folder = binary().parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let settings = posthorn.settings.iter().map(|(name, value)| export(name, value)).collect::<String>();
    settings
        + &export("POSTHORN_API", &format!("http://{api}"))
        + &export("POSTHORN_API_TOKEN", token)
        + &format!("PATH='{}':$PATH\n", folder.replace('\'', r"'\''"))
}

fn explain(api: &str) {
    let state = local().join("up");
    let here = env::current_dir().unwrap_or_default();
    let state = state.strip_prefix(here).unwrap_or(&state).display();
    println!(
        "
Posthorn is running. In any shell:

  source {state}/env

  posthorn listen --addr 127.0.0.1:9000 &                    # a receiver that prints what it gets
  posthorn webhook add --url http://127.0.0.1:9000/ --name mine --event-types 'todo.*'
  posthorn publish --type todo.created --company c1 --project p1 --data '{{\"title\": \"Try Posthorn\"}}'
  posthorn publish --file examples/events.jsonl
  posthorn webhook list
  curl -H \"authorization: Bearer $POSTHORN_API_TOKEN\" $POSTHORN_API/v1/webhooks

The API is described at http://{api}/docs.
Logs are in {state}/*.log. Stop everything with: make down"
    );
}
