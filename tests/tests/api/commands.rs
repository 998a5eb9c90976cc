//! The `posthorn` command over the API: in its environment are the API's address and a token, nothing else.

use std::collections::BTreeMap;

use posthorn_tests::{
    Api, App, Receiver, Reply, Request, always,
    api::text,
    app::ADMIN_TOKEN,
    broker::identified,
    command::{self, Answer, Streams},
    event, eventually,
};
use serde_json::{Value, json};

/// Someone at a shell, on another machine.
struct Shell(BTreeMap<String, String>);

impl Shell {
    fn at(api: &Api, token: &str) -> Self {
        let settings =
            [("POSTHORN_API", format!("http://{}", api.address)), ("POSTHORN_API_TOKEN", token.to_owned())];
        Self(settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Runs a command given as a line.
    async fn run(&self, line: &str) -> Answer {
        command::run(&self.0, &line.split(' ').collect::<Vec<_>>()).await
    }

    /// Runs a command whose output nobody reads, and its complaints only if `streams` leaves them.
    async fn unread(&self, line: &str, streams: Streams) -> Answer {
        command::unread(&self.0, &line.split(' ').collect::<Vec<_>>(), streams).await
    }

    async fn json(&self, line: &str) -> Value {
        self.run(&format!("{line} --json")).await.json()
    }

    /// Waits until a command prints JSON that has this value at this place.
    async fn shows(&self, line: &str, pointer: &str, value: Value) -> Value {
        eventually(&format!("`{line}` has {value} at {pointer}"), async || {
            let answer = self.run(&format!("{line} --json")).await;
            let shown = if answer.code == 0 { answer.json() } else { Value::Null };
            (shown.pointer(pointer) == Some(&value)).then_some(shown)
        })
        .await
    }
}

#[tokio::test]
async fn webhooks_are_told_the_same_over_the_api_as_from_the_database() {
    let app = App::create().await;
    let api = app.api().await;
    let shell = Shell::at(&api, ADMIN_TOKEN);
    let add = "webhook add --url http://127.0.0.1:9/a --name Orders --event-types todo.*,a.b --companies c1 \
               --header x-tenant=c1 --metadata team=blue --contact ops@example.com --timeout 2s \
               --max-in-flight 3 --http2 --disable-policy failing --description About";

    let over_api = shell.json(add).await;
    let from_database = app.run(&add.split_whitespace().chain(["--json"]).collect::<Vec<_>>()).await.json();

    let told = |webhook: &Value| {
        let mut told = webhook.clone();
        let own = ["id", "secret", "created_at", "updated_at"];
        own.into_iter().for_each(|field| assert!(told[field].take().is_string(), "{field}: {webhook}"));
        told.to_string()
    };
    assert_eq!(told(&over_api), told(&from_database));
    assert_eq!(over_api["headers"], json!({ "x-tenant": "c1" }));
    for command in ["show", "disable", "enable", "pause", "resume"] {
        let line = format!("webhook {command} {}", text(&over_api, "id"));
        let over_api = shell.json(&line).await;
        let line = format!("webhook show {} --json", text(&over_api, "id"));
        let from_database = app.run(&line.split(' ').collect::<Vec<_>>()).await.json();
        assert_eq!(over_api.to_string(), from_database.to_string(), "{command}");
    }
    let printed = shell.run("webhook list").await.success();
    assert_eq!(printed, app.run(&["webhook", "list"]).await.success());
    assert!(printed.contains(text(&over_api, "id")) && printed.contains("healthy"), "{printed}");
}

#[tokio::test]
async fn a_webhook_is_changed_given_a_new_secret_and_removed() {
    let app = App::create().await;
    let api = app.api().await;
    let shell = Shell::at(&api, ADMIN_TOKEN);
    let pattern = app.file("pattern.json", r#"{"data": {"n": [{"numeric": ["=", 1]}]}}"#);
    let flags = "--header x-a=1 --header x-b=2 --contact ops@example.com";
    let line = format!("webhook add --url http://127.0.0.1:9/ --pattern {pattern} {flags}");
    let added = shell.json(&line).await;
    let id = text(&added, "id");
    assert_eq!(added["rules"][0]["pattern"], json!({ "data": { "n": [{ "numeric": ["=", 1] }] } }));

    let change = format!("webhook change {id} --name n --header x-c=3 --unset contact,headers.x-a");
    let changed = shell.json(&change).await;
    assert_eq!((&changed["name"], &changed["contact"]), (&json!("n"), &Value::Null));
    assert_eq!(changed["headers"], json!({ "x-b": "2", "x-c": "3" }));
    assert_eq!(changed["rules"], added["rules"]);

    let rotated = shell.run(&format!("webhook rotate-secret {id} --overlap 1h")).await.success();
    assert!(rotated.contains("whsec_") && !rotated.contains(text(&added, "secret")), "{rotated}");
    assert_eq!(shell.json("webhook list --state healthy --url 127.0.0.1").await[0]["id"], id);
    assert_eq!(shell.json("webhook list --state disabled").await, json!([]));
    assert_eq!(shell.json(&format!("webhook remove {id}")).await["name"], "n");
    let gone = shell.run(&format!("webhook show {id}")).await;
    assert_eq!((gone.code, gone.stderr.trim()), (1, "error: there is no such webhook"));
}

#[tokio::test]
async fn a_test_succeeds_only_if_the_receiver_accepts() {
    let app = App::create().await;
    let receiver =
        Receiver::start(|request: &Request| Reply::status(if request.path == "/good" { 204 } else { 500 }))
            .await;
    let api = app.api().await;
    let shell = Shell::at(&api, ADMIN_TOKEN);
    let test = async |path: &str| {
        let added = shell.json(&format!("webhook add --url {}", receiver.url(path))).await;
        shell.run(&format!("webhook test {}", text(&added, "id"))).await
    };
    let accepted = test("/good").await.success();
    assert!(accepted.contains("accepted") && accepted.contains("204"), "{accepted}");
    let refused = test("/bad").await;
    assert_eq!((refused.code, refused.stderr.trim()), (1, "error: the receiver did not accept it"));
    assert!(refused.stdout.contains("500"), "{refused:?}");
}

#[tokio::test]
async fn events_and_deliveries_are_followed_and_made_once_more() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let api = app.api().await;
    let shell = Shell::at(&api, ADMIN_TOKEN);
    let add = format!("webhook add --url {} --event-types todo.*", receiver.url("/"));
    let webhook = text(&shell.json(&add).await, "id").to_owned();
    let _roles = app.start().await;
    let data = r#"{"n":12345678901234567890123}"#;

    let publish = format!("event publish --id a/b --type todo.created --company c1 --data {data}");
    assert!(shell.run(&publish).await.success().contains("published a/b"));
    let other = text(&shell.json("event publish --type order.paid").await, "id").to_owned();

    receiver.receives(1).await;
    let show = format!("delivery show a/b {webhook}");
    let delivery = shell.shows(&show, "/state", json!("succeeded")).await;
    assert_eq!(delivery["attempts"][0]["status"], 200);
    assert!(shell.run(&show).await.success().contains("accepted"));
    shell.shows(&format!("event show {other}"), "/deliveries", json!([])).await;
    let shown = shell.run("event show a/b").await.success();
    assert!(shown.contains(data) && shown.contains(&webhook), "{shown}");
    assert!(shell.run("event show a/b --json").await.success().contains(data));
    let listed = shell.run("event list --type todo.* --since 1h").await.success();
    assert!(listed.contains("a/b") && !listed.contains(&other), "{listed}");
    let one = shell.run("event list --limit 1").await;
    assert!(one.stderr.contains("There are more"), "{one:?}");
    assert_eq!(
        shell.json(&format!("delivery list {webhook} --outcome accepted")).await[0]["event_id"],
        "a/b"
    );

    let why = shell.run(&format!("event explain {other} --webhook {webhook}")).await.success();
    assert!(why.starts_with("not_matched: ") && why.contains("NO  event_types"), "{why}");

    shell.run(&format!("delivery redeliver a/b {webhook}")).await.success();
    receiver.receives(2).await;
    let replay = format!("replay start {webhook} --only all --since 1h --until {}", jiff::Timestamp::now());
    let counted = shell.json(&format!("{replay} --dry-run --wait")).await;
    assert_eq!((&counted["state"], &counted["found"]), (&json!("finished"), &json!(1)));
    let done = shell.json(&format!("{replay} --wait")).await;
    receiver.receives(3).await;
    let ended = shell.json(&format!("replay show {}", text(&done, "id"))).await;
    assert_eq!((&ended["state"], &ended["published"]), (&json!("finished"), &json!(1)));
    assert_eq!(shell.json(&format!("replay list {webhook}")).await.as_array().map(Vec::len), Some(2));

    shell.shows(&format!("statistics {webhook}"), "/total/accepted", json!(3)).await;
    let counted = shell.run("statistics --since 1h --step hour").await.success();
    assert!(counted.contains("in all"), "{counted}");
    shell.shows("catalogue event-types --text created", "/0/type", json!("todo.created")).await;
    assert!(shell.run("catalogue companies").await.success().contains("c1"));
    assert_eq!(shell.json("catalogue projects --company c1").await, json!([]));

    let described = shell.json("catalogue describe order.sent --group Orders").await;
    assert_eq!((&described["group"], &described["description"]), (&json!("Orders"), &json!("")));
    shell.run("catalogue name-company c1 Example").await.success();
    shell.run("catalogue name-project p1 Office --company c1").await.success();
    let named = json!([{ "company_id": "c1", "id": "p1", "name": "Office" }]);
    assert_eq!(shell.json("catalogue projects --text office").await, named);
    shell.run("catalogue forget-project p1 --company c1").await.success();
    shell.run("catalogue forget-company c1").await.success();
    shell.run("catalogue forget-event-type order.sent").await.success();
    assert_eq!(shell.json("catalogue projects").await, json!([]));
    assert_eq!(shell.json("catalogue event-types --text order.sent").await, json!([]));
}

#[tokio::test]
async fn a_file_of_events_is_published_and_what_is_wrong_is_told_by_line() {
    let app = App::create().await;
    let _router = app.start_role("router").await;
    let api = app.api().await;
    let shell = Shell::at(&api, ADMIN_TOKEN);
    let good: Vec<_> =
        (0..1200).map(|n| format!(r#"{{"type": "todo.created", "data": {{"n": {n}}}}}"#)).collect();
    let file = app.file("good.jsonl", &good.join("\n"));
    let published = shell.json(&format!("event publish --file {file}")).await;
    assert_eq!((&published["published"], &published["events"]), (&json!(1200), &json!(1200)));

    let file = app.file("some.jsonl", &format!("{}\n\n{{\"type\": \"\", \"data\": 1}}\n", good[0]));
    let some = shell.run(&format!("event publish --file {file}")).await;
    assert_eq!(some.code, 1);
    assert!(some.stderr.contains("line 3: refused: /"), "{some:?}");
    assert!(some.stdout.contains("published 1 of 2"), "{some:?}");
}

#[tokio::test]
async fn rejected_events_are_repaired_or_discarded() {
    let app = App::create().await;
    let roles = app.start().await;
    let api = app.api().await;
    let shell = Shell::at(&api, ADMIN_TOKEN);
    for number in ["m0", "m1"] {
        app.broker.publish(&app.name("events"), "key", identified(number), b"no event").await;
    }
    let rows = eventually("both are listed", async || {
        let rows = shell.json("rejected list --open").await;
        rows.as_array().filter(|rows| rows.len() == 2).cloned()
    })
    .await;
    let (one, other) = (text(&rows[0], "id"), text(&rows[1], "id"));
    assert!(shell.run(&format!("rejected show {one}")).await.success().contains("no event"));

    let refused = shell.run(&format!("rejected publish {one}")).await;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("give the repaired one"), "{refused:?}");
    let good = event("todo.created");
    let repaired = json!({ "id": good.id, "type": "todo.created", "data": {} }).to_string();
    let file = app.file("repaired.json", &repaired);
    let published = shell.json(&format!("rejected publish {one} --event {file}")).await;
    assert_eq!(published["event_id"], good.id.as_str());
    app.database.records_event(&good.id).await;
    assert_eq!(shell.json(&format!("rejected discard {other}")).await["resolution"], "discarded");
    assert_eq!(shell.json("rejected list --open").await, json!([]));
    assert_eq!(shell.json("rejected list --resolved").await.as_array().map(Vec::len), Some(2));
    drop(roles);
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked_and_the_audit_log_tells_of_it() {
    let app = App::create().await;
    let api = app.api().await;
    let shell = Shell::at(&api, ADMIN_TOKEN);
    let create = "token create --name reader --scopes read --companies c1 --expires-in 1d";
    let made = shell.json(create).await;
    let id = text(&made, "id");
    let reader = Shell::at(&api, text(&made, "token"));
    assert_eq!(reader.json("webhook list").await, json!([]));
    let refused = reader.run("audit").await;
    assert!(refused.code == 1 && refused.stderr.contains("admin"), "{refused:?}");

    assert_eq!(shell.run("token list").await.success(), app.run(&["token", "list"]).await.success());
    assert!(shell.json(&format!("token revoke {id}")).await["revoked_at"].is_string());
    assert_eq!(reader.run("webhook list").await.code, 1);
    let audit = shell.run(&format!("audit --subject {id}")).await.success();
    assert!(audit.contains("token.create") && audit.contains("token.revoke"), "{audit}");
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_place_and_by_exit_status() {
    let app = App::create().await;
    let api = app.api().await;
    let mut shell = Shell::at(&api, ADMIN_TOKEN);
    let wrong = shell.run("webhook add --url ftp://127.0.0.1/ --contact nobody").await;
    assert_eq!(wrong.code, 1);
    let lines: Vec<_> = wrong.stderr.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "error: 2 things are wrong"), "{wrong:?}");
    assert!(lines[1..].iter().any(|line| line.starts_with("  /url: ")), "{wrong:?}");
    assert!(lines[1..].iter().any(|line| line.starts_with("  /contact: ")), "{wrong:?}");
    let one = shell.run("event list --type to/do").await;
    assert_eq!((one.code, one.stderr.lines().count()), (1, 1), "{one:?}");
    assert!(one.stderr.starts_with("error: type: "), "{one:?}");

    assert_eq!(shell.run("webhook list --api-token x").await.code, 2);
    shell.0.insert("POSTHORN_API_TOKEN".to_owned(), "pht_unknown".to_owned());
    let unknown = shell.run("webhook list").await;
    assert!(unknown.code == 1 && unknown.stderr.contains("token"), "{unknown:?}");
    shell.0.remove("POSTHORN_API_TOKEN");
    let none = shell.run("webhook list").await;
    assert!(none.code == 1 && none.stderr.contains("POSTHORN_API_TOKEN"), "{none:?}");
    let file = app.file("token", &format!("{ADMIN_TOKEN}\n"));
    shell.0.insert("POSTHORN_API_TOKEN_FILE".to_owned(), file);
    shell.run("webhook list").await.success();

    let base = shell.0.remove("POSTHORN_API").unwrap();
    let unnamed = shell.run("event list").await;
    assert!(unnamed.code == 1 && unnamed.stderr.contains("POSTHORN_API"), "{unnamed:?}");
    drop(api);
    let away = shell.run(&format!("event list --api {base}")).await;
    assert_eq!(away.code, 75);
    assert!(away.stderr.contains(&format!("cannot reach the API at {base}")), "{away:?}");
}

#[tokio::test]
async fn a_command_whose_output_nobody_reads_ends_quietly() {
    let app = App::create().await;
    let api = app.api().await;
    let shell = Shell::at(&api, ADMIN_TOKEN);
    for number in 0..3 {
        shell.json(&format!("webhook add --url http://127.0.0.1:9/{number} --name n{number}")).await;
    }
    let pattern = app.file("pattern.json", r#"{"type": ["a.b"]}"#);
    let event = app.file("event.json", r#"{"type": "a.b"}"#);
    let lines = [
        "webhook list",
        "webhook list --json",
        "event list",
        "audit",
        "token list",
        "catalogue companies",
        "statistics",
        "key",
        "--help",
        &format!("pattern test --pattern {pattern} --event {event}"),
        &format!("pattern explain --pattern {pattern} --event {event}"),
    ];
    for line in lines {
        for streams in [Streams::Output, Streams::Both] {
            let answer = shell.unread(line, streams).await;
            assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{line}: {streams:?}");
        }
    }
    let full = shell.unread("key", Streams::FullDisk).await;
    assert!(full.code == 1 && full.stderr.contains("cannot write to standard output"), "{full:?}");
}

#[tokio::test]
async fn a_table_has_a_row_on_one_line_and_its_times_to_the_second() {
    let app = App::create().await;
    let api = app.api().await;
    let shell = Shell::at(&api, ADMIN_TOKEN);
    for name in ["first", "second"] {
        shell.json(&format!("webhook add --url http://127.0.0.1:9/ --name {name}")).await;
    }
    let listed = shell.run("webhook list").await.success();
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(lines.len(), 4, "{listed}");
    assert!(lines[0].starts_with("id ") && lines[1].chars().all(|c| c == '─'), "{listed}");
    let audit = shell.run("audit").await.success();
    let at = audit.lines().nth(2).and_then(|row| row.split(' ').next()).unwrap();
    assert!(at.len() == "2026-11-24T00:13:15Z".len() && at.ends_with('Z'), "{audit}");
}
