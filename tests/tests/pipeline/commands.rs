//! The operator's `webhook` commands.

use posthorn_tests::{App, Receiver, always, event, eventually_is};
use serde_json::{Value, json};

#[tokio::test]
async fn add_prints_the_whole_webhook_and_its_secret_once() {
    let app = App::create().await;
    let options = [
        ["--name", "Orders"],
        ["--event-types", "todo.*,comment.created"],
        ["--except-event-types", "todo.moved"],
        ["--companies", "c1"],
        ["--projects", "p1,p2"],
        ["--max-in-flight", "3"],
        ["--disable-policy", "failing"],
        ["--timeout", "2s"],
    ]
    .concat();
    let webhook = app.add_webhook("http://127.0.0.1:9/orders", &options).await;

    let (added, shown) = (&webhook.added, app.webhook("show", &webhook).await);
    assert!(webhook.id.len() == 36 && webhook.id.starts_with("whk_"), "{added}");
    assert!(webhook.secret.starts_with("whsec_"), "{added}");
    let rule = json!({
        "event_types": ["todo.*", "comment.created"], "except_event_types": ["todo.moved"],
        "companies": ["c1"], "projects": ["p1", "p2"],
    });
    for (field, expected) in [
        ("url", json!("http://127.0.0.1:9/orders")),
        ("name", json!("Orders")),
        ("rules", json!([rule])),
        ("state", json!("healthy")),
        ("epoch", json!(1)),
        ("timeout_ms", json!(2000)),
        ("max_in_flight", json!(3)),
        ("disable_policy", json!("failing")),
        ("disabled", Value::Null),
        ("last_accepted_at", Value::Null),
        ("last_failed_at", Value::Null),
    ] {
        assert_eq!((&added[field], &shown[field]), (&expected, &expected), "{field}");
    }
    for field in ["created_at", "updated_at"] {
        assert!(shown[field].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{shown}");
    }
    assert!(shown.get("secret").is_none() && shown.get("waiting").is_some(), "{shown}");
}

#[tokio::test]
async fn a_webhook_without_options_wants_everything_under_the_defaults() {
    let app = App::create().await;
    let webhook = app.add_webhook("http://127.0.0.1:9/", &[]).await;
    let added = &webhook.added;
    assert_eq!(added["rules"], json!([{}]), "{added}");
    assert_eq!((&added["max_in_flight"], &added["timeout_ms"]), (&json!(16), &json!(15_000)));
    assert_eq!(added["disable_policy"], "exhausted");
}

#[tokio::test]
async fn list_shows_all_webhooks_without_secrets() {
    let app = App::create().await;
    assert_eq!(app.run(&["webhook", "list", "--json"]).await.json(), json!([]));
    let one = app.add_webhook("http://127.0.0.1:9/one", &["--name", "One"]).await;
    let two =
        app.add_webhook("http://127.0.0.1:9/two", &["--projects", "p1", "--except-projects", "p2"]).await;

    let listed = app.run(&["webhook", "list", "--json"]).await.json();

    for webhook in [&one, &two] {
        let found =
            listed.as_array().unwrap().iter().find(|listed| listed["id"] == webhook.id.as_str()).unwrap();
        assert_eq!((&found["url"], found.get("secret")), (&json!(webhook.url), None));
    }
    let printed = app.run(&["webhook", "list"]).await.success();
    assert!(printed.contains(&one.id) && printed.contains(&two.url), "{printed}");
    assert!(!printed.contains("whsec_"), "{printed}");
}

#[tokio::test]
async fn show_tells_what_waits_and_when_it_last_worked() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    app.publish(&event("todo.created")).await;

    app.database.records_attempts(&webhook, 1).await;
    let last_accepted = async || app.webhook("show", &webhook).await["last_accepted_at"].is_string();
    eventually_is("a time of acceptance is shown", true, last_accepted).await;
    let shown = app.webhook("show", &webhook).await;
    assert_eq!((&shown["waiting"], &shown["state"]), (&json!(0), &json!("healthy")), "{shown}");
}

#[tokio::test]
async fn unknown_webhooks_are_errors_that_name_them() {
    let app = App::create().await;
    let unknown = "whk_0192f0c1d2e37a4bb5c6d7e8f9a0b1c2";
    for command in ["show", "enable", "disable", "pause", "resume", "remove", "rotate-secret"] {
        let stderr = app.run(&["webhook", command, unknown]).await.failure();
        assert!(stderr.contains(unknown), "{command}: {stderr}");
    }
    let stderr = app.run(&["webhook", "show", "nonsense"]).await.failure();
    assert!(stderr.contains("nonsense") && stderr.contains("whk_"), "{stderr}");
}

#[tokio::test]
async fn bad_rules_are_refused_with_a_json_pointer() {
    let app = App::create().await;
    for (rules, pointer) in [
        (r#"[{"event_types":["*"],"companies":[]}]"#, "/0/companies"),
        (r#"[{},{"projects":["p1",""]}]"#, "/1/projects/1"),
        (r#"[{"event_types":["todo created"]}]"#, "/0/event_types/0"),
        (r#"[{"colour":["red"]}]"#, "/0/colour"),
    ] {
        let file = app.file("rules.json", rules);
        let add = ["webhook", "add", "--url", "http://127.0.0.1:9/", "--rules", &file, "--json"];
        let stderr = app.run(&add).await.failure();
        assert!(stderr.contains(pointer), "{rules}: {stderr}");
    }
    assert!(app.database.webhook_ids().await.is_empty());
}

#[tokio::test]
async fn wrong_usage_is_told_apart_from_failure() {
    let app = App::create().await;
    assert_eq!(app.run(&["webhook", "add"]).await.code, 2);
    assert_eq!(app.run(&["no-such-command"]).await.code, 2);
    let help = app.run(&["dispatcher", "--help"]).await.success();
    assert!(help.contains("POSTHORN_RETRY_SCHEDULE") && help.contains("--amqp-url"), "{help}");
}
