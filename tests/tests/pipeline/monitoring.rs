//! What watches an installation: metrics, alert rules, the dashboard, the container's health check.

use std::{collections::BTreeSet, process::Stdio};

use posthorn_tests::{App, Receiver, always, event, metrics, servers::repository};
use serde_json::Value;
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
