//! The examples do what they say, on real servers: each registers a webhook over the API, publishes an
//! event over AMQP, and receives and verifies it.

mod python;
mod rust;
mod typescript;

use std::{
    env,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use posthorn_tests::{App, api::text};
use tokio::{process::Command, time::timeout};

/// For a whole example; it waits for two seconds by itself.
const DEADLINE: Duration = Duration::from_secs(90);

/// Runs an example with everything that it needs, and sees that the event it published came to its webhook.
async fn goes_the_whole_way_round(app: &App, example: &mut Command) {
    let api = app.api().await;
    let _roles = app.start().await;
    let create = ["token", "create", "--name", "example", "--scopes", "write", "--json"];
    let token = text(&app.run(&create).await.json(), "token").to_owned();
    let settings = [
        ("POSTHORN_AMQP_URL", app.settings["POSTHORN_AMQP_URL"].clone()),
        ("POSTHORN_PREFIX", app.prefix.clone()),
        ("POSTHORN_API", format!("http://{}", api.address)),
        ("POSTHORN_API_TOKEN", token),
        ("PORT", "0".to_owned()),
    ];

    let said = run(example.envs(settings)).await;

    let word = |line: &str, place: usize| {
        let found = said.lines().find(|said| said.starts_with(line)).unwrap_or_else(|| panic!("{said}"));
        found.split(' ').nth(place).unwrap_or_default().to_owned()
    };
    let (webhook, published) = (word("registered", 1), word("published", 1));
    assert_eq!((word("received", 1).as_str(), word("received", 2)), ("todo.created", published.clone()));
    assert!(said.contains("Order the desks"), "{said}");
    api.admin().get(&format!("/v1/webhooks/{webhook}")).await.problem(404, "not-found");
    // The webhook is gone; what it accepted stays in the history.
    let path = format!("/v1/events/{published}");
    let event = api.admin().shows(&path, "/deliveries/0/state", "succeeded".into()).await;
    assert_eq!(event["deliveries"][0]["status"], 204, "{event}");
}

/// Runs a command to its end, expects success and returns what it printed.
async fn run(command: &mut Command) -> String {
    let ended = timeout(DEADLINE, command.kill_on_drop(true).output()).await;
    let Output { status, stdout, stderr } =
        ended.unwrap_or_else(|_| panic!("{command:?} does not end")).expect("it can be run");
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{command:?}: {stdout}\n{}", String::from_utf8_lossy(&stderr));
    stdout
}

/// What `make test` prepares.
fn prepared(name: &str) -> PathBuf {
    env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: run `make test`")).into()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder of the repository")
}
