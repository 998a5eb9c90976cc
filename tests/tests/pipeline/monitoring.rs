//! What watches an installation: metrics, alert rules, the dashboard, the container's health check.

use std::{collections::BTreeSet, process::Stdio};

use posthorn_tests::{
    App, Receiver, always, event, eventually, eventually_is, metrics, servers::repository, statuses,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

#[tokio::test]
async fn metrics_are_well_made_and_all_documented() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let mut roles = app.start().await;
    app.publish(&event("todo.created")).await;
    app.database.records_attempts(&webhook, 1).await;

    let documented = documented();
    for role in [&mut roles.router, &mut roles.dispatcher, &mut roles.recorder] {
        let page = role.page("/metrics").await.1;
        promtool(&["check", "metrics"], &page).await;
        for name in metrics::parse(&page).into_keys() {
            let name = name.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count");
            assert!(documented.contains(name), "{name} is missing in the table of docs/operations.md");
        }
    }
}

#[tokio::test]
async fn alert_rules_say_what_they_promise() {
    promtool(&["check", "config", "prometheus.yml"], "").await;
    promtool(&["test", "rules", "alerts_test.yml"], "").await;

    let rules = read("deploy/prometheus/alerts.yml");
    let runbook = read("docs/operations.md");
    for line in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(runbook.contains(&format!("### {line}\n")), "docs/operations.md does not tell of {line}");
    }
}

#[tokio::test]
async fn the_dashboards_queries_are_promql() {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/dashboards/posthorn.json")).unwrap();
    let panels = dashboard["panels"].as_array().expect("it has panels").iter();
    let queries = panels.flat_map(|panel| panel["targets"].as_array().expect("a panel asks something"));
    let rules: Vec<_> = queries
        .enumerate()
        .map(|(number, query)| {
            let query = query["expr"].as_str().expect("a query is text").replace("$__rate_interval", "5m");
            json!({ "record": format!("query:{number}"), "expr": query })
        })
        .collect();
    assert!(rules.len() > 20, "{rules:?}");

    let file = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    promtool(&["check", "rules", "/dev/stdin"], &file.to_string()).await;
}

#[tokio::test]
async fn a_retry_that_is_due_shows_until_it_is_made() {
    let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "3s")]).await;
    let receiver = Receiver::start(statuses([503, 200])).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let roles = app.start().await;
    app.publish(&event("todo.created")).await;
    app.database.records_attempts(&webhook, 1).await;
    roles.dispatcher.stop().await;
    roles.recorder.stop().await;
    eventually_is("waiting retries", 0, async || app.retrying().await).await;

    assert!(overdue(&app).await > 0.0);
    app.webhook("pause", &webhook).await;
    assert_eq!(overdue(&app).await, 0.0, "it must wait");
    app.webhook("resume", &webhook).await;
    assert!(overdue(&app).await > 0.0);

    let _made = (app.start_role("dispatcher").await, app.start_role("recorder").await);
    app.database.records_attempts(&webhook, 2).await;
    assert_eq!(overdue(&app).await, 0.0, "it was made");
}

/// For how long the oldest retry is late, as a recorder tells it that just starts.
async fn overdue(app: &App) -> f64 {
    let mut recorder = app.start_role("recorder").await;
    let overdue = eventually("the recorder tells how late retries are", async || {
        let page = recorder.page("/metrics").await.1;
        metrics::parse(&page).get("posthorn_retry_overdue_seconds").copied()
    })
    .await;
    recorder.stop().await;
    overdue
}

#[test]
fn rules_and_dashboard_speak_of_metrics_that_exist() {
    let documented = documented();
    let dashboard = read("deploy/grafana/dashboards/posthorn.json");
    serde_json::from_str::<Value>(&dashboard).expect("the dashboard is JSON");
    for text in [dashboard, read("deploy/prometheus/alerts.yml")] {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|word| word.starts_with("posthorn_")) {
            let name = word.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count");
            assert!(documented.contains(name), "{name} does not exist");
        }
    }
}

#[tokio::test]
async fn the_health_check_tells_whether_a_role_can_work() {
    let app = App::create().await;
    let mut router = app.start_role("router").await;
    let address = router.admin().await.to_string();
    let check = ["healthcheck", "--admin-addr", &address];

    assert!(app.run(&check).await.success().contains(r#""ready":true"#));
    assert_eq!(app.run(&[&check[..], &["--live"]].concat()).await.success(), "alive\n");
    router.stop().await;
    assert!(app.run(&check).await.failure().contains(&address));
}

/// The names in the table of metrics.
fn documented() -> BTreeSet<String> {
    let rows = read("docs/operations.md");
    let names = rows.lines().filter_map(|line| line.strip_prefix("| `posthorn_"));
    names.map(|rest| format!("posthorn_{}", rest.split(['`', '{']).next().unwrap_or_default())).collect()
}

async fn promtool(arguments: &[&str], input: &str) {
    let tool = std::env::var("POSTHORN_TEST_PROMTOOL").expect("run `make test`, which provides promtool");
    let mut command = Command::new(tool);
    command.args(arguments).current_dir(repository().join("deploy/prometheus"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    // It may end without reading what it needs not.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
}

fn read(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
