//! The guide keeps its word: every command of docs/api.md is run as it stands there.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    process::Output,
    time::Duration,
};

use posthorn_tests::{
    Api, App, Client, Data, Event, Receiver, always, api::text, broker::identified, event, eventually,
    servers::binary,
};
use prost::Message;
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

const GUIDE: &str = include_str!("../../../docs/api.md");

/// For one block of commands.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the guide's examples are about.
struct World {
    app: App,
    api: Api,
    admin: Client,
    webhook: String,
    receiver: Receiver,
    rejected: Vec<String>,
    token: String,
}

#[tokio::test]
async fn every_command_of_the_guide_works_and_every_route_has_one() {
    let mut world = World::prepare().await;
    let _roles = world.app.start().await;
    world.deliver("order-77-paid").await;
    let blocks = blocks();
    for block in &blocks[1..] {
        world.run(&blocks[0], block).await;
    }
    let untold: Vec<_> = world.routes().await.difference(&world.succeeded().await).cloned().collect();
    assert!(untold.is_empty(), "docs/api.md has no command for: {untold:?}");
}

/// The guide's blocks of commands.
fn blocks() -> Vec<String> {
    let blocks = GUIDE.split("```sh\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

impl World {
    async fn prepare() -> Self {
        let app = with_rejected_events().await;
        let receiver = Receiver::start(always(200)).await;
        let api = app.api().await;
        let admin = api.admin();
        let rejected = rejected(&admin).await;
        let webhook = text(&admin.add(&receiver.url("/"), json!([{}])).await, "id").to_owned();
        let token = json!({ "name": "to be revoked", "scopes": ["read"] });
        let token = text(&admin.post("/v1/tokens", &token).await.expect(201), "id").to_owned();
        Self { app, api, admin, webhook, receiver, rejected, token }
    }

    /// Publishes an event and waits until its delivery is recorded.
    async fn deliver(&self, id: &str) {
        let data = Some(Data::Json(r#"{"order": 77}"#.into()));
        let event = Event { id: id.to_owned(), data, ..event("order.paid") };
        self.app.publish(&event).await;
        self.receiver.receives_of(id, 1).await;
        let path = format!("/v1/deliveries/{id}/{}", self.webhook);
        self.admin.shows(&path, "/state", json!("succeeded")).await;
    }

    /// Runs a block, with the functions that the first one defines; any answer but success ends it.
    async fn run(&mut self, first: &str, block: &str) {
        let script = format!("{first}\n{}", self.filled(block).await);
        let script = script.replace("http://127.0.0.1:8080", &format!("http://{}", self.api.address));
        let strict = r#"set -euo pipefail; curl() { command curl --fail-with-body "$@"; }"#;
        let path = format!(
            "{}:{}",
            binary().parent().expect("it is in a folder").display(),
            env::var("PATH").expect("there is one")
        );
        let mut bash = Command::new("bash");
        bash.args(["-c", &format!("{strict}\n{script}")]).kill_on_drop(true);
        bash.env_clear().envs(&self.app.settings).env("PATH", path);
        let ended = timeout(DEADLINE, bash.output()).await.unwrap_or_else(|_| panic!("no end of: {script}"));
        let Output { status, stdout, stderr } = ended.expect("bash is there");
        let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(status.success(), "{script}\n{}\n{}", said[0], said[1]);
    }

    /// The block with something real for each `…`.
    async fn filled(&mut self, block: &str) -> String {
        // A webhook that is deleted is another one.
        let webhook = match block.contains("-X DELETE $API/v1/webhooks/") {
            true => text(&self.admin.add("http://127.0.0.1:9/", json!([{}])).await, "id").to_owned(),
            false => self.webhook.clone(),
        };
        let mut filled = format!("export WEBHOOK={webhook}\n{block}");
        if filled.contains("rpl_…") {
            filled = filled.replace("rpl_…", &self.replay().await);
        }
        while filled.contains("rej_…") {
            filled = filled.replacen("rej_…", &self.rejected.remove(0), 1);
        }
        filled.replace("whk_…", &webhook).replace("tok_…", &self.token)
    }

    async fn replay(&self) -> String {
        let asked = json!({ "since": "2026-01-01T00:00:00Z", "only": "all", "dry_run": true });
        let path = format!("/v1/webhooks/{}/replay", self.webhook);
        text(&self.admin.post(&path, &asked).await.expect(202), "id").to_owned()
    }

    /// All routes of the document.
    async fn routes(&self) -> BTreeSet<String> {
        let document = self.admin.get("/openapi.json").await.expect(200);
        let paths = document["paths"].as_object().expect("there are paths").iter();
        let methods = |(path, operations): (&String, &Value)| {
            let of_path = |method: &String| format!("{} {path}", method.to_uppercase());
            operations.as_object().expect("operations by method").keys().map(of_path).collect::<Vec<_>>()
        };
        paths.flat_map(methods).collect()
    }

    /// The routes that were asked with success.
    async fn succeeded(&mut self) -> BTreeSet<String> {
        let (_, metrics) = self.api.process.page("/metrics").await;
        let lines = metrics.lines().filter_map(|line| line.strip_prefix("posthorn_api_requests_total{"));
        let labels = lines.map(|line| {
            let pairs = line.split(r#"","#).filter_map(|pair| pair.split_once(r#"=""#));
            pairs
                .map(|(name, value)| (name, value.split('"').next().unwrap_or_default()))
                .collect::<BTreeMap<_, _>>()
        });
        let good = labels.filter(|labels| labels["status"] == "2xx");
        good.map(|labels| format!("{} {}", labels["method"], labels["route"])).collect()
    }
}

/// An installation with messages that are no events; the third one is an event by now.
async fn with_rejected_events() -> App {
    let mut app = App::with(&[("POSTHORN_MAX_EVENT_BYTES", "100")]).await;
    let roles = [app.start_role("router").await, app.start_role("recorder").await];
    let large = event("todo.created").encode_to_vec();
    for (number, message) in [b"no event", b"no event", large.as_slice(), b"no event"].iter().enumerate() {
        let properties = identified(&format!("m{number}"));
        app.broker.publish(&app.name("events"), "key", properties, message).await;
    }
    eventually("all are rejected", async || (app.database.rejected_events().await.len() == 4).then_some(()))
        .await;
    drop(roles);
    app.settings.remove("POSTHORN_MAX_EVENT_BYTES");
    app
}

/// The ids of the rejected events, in the order of their messages.
async fn rejected(admin: &Client) -> Vec<String> {
    let mut rows = admin.all("/v1/rejected-events").await;
    rows.sort_by_key(|row| text(row, "message_id").to_owned());
    rows.iter().map(|row| text(row, "id").to_owned()).collect()
}
