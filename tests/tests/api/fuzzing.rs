//! The document keeps its word: a public fuzzer makes requests from it and checks the answers.

use std::{env, time::Duration};

use posthorn_tests::{App, Receiver, always, app::ADMIN_TOKEN, event};
use serde_json::json;
use tokio::{process::Command, time::timeout};

/// For the whole run, not for each route.
const DEADLINE: Duration = Duration::from_secs(220);

#[tokio::test]
async fn no_request_made_from_the_document_fails_or_is_answered_otherwise() {
    let python = env::var("POSTHORN_TEST_PYTHON").expect("POSTHORN_TEST_PYTHON is set: run `make test`");
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let api = app.api().await;
    // No dispatcher: webhooks that the fuzzer makes may point anywhere.
    let _roles = [app.start_role("router").await, app.start_role("recorder").await];
    let event = event("todo.created");
    app.publish(&event).await;
    app.database.records_event(&event.id).await;

    let made = api.admin().add(&receiver.url("/"), json!([{}])).await;
    let webhook = made["id"].as_str().unwrap();
    let known = app.file("schemathesis.toml", &known(&event.id, webhook));
    let mut fuzzer = Command::new(python);
    fuzzer
        .args(["-m", "schemathesis.cli", "--config-file", &known, "run"])
        .arg(format!("http://{}/openapi.json", api.address))
        .args(["--header", &format!("Authorization: Bearer {ADMIN_TOKEN}")])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        .args(["--phases", "examples,coverage,fuzzing", "--max-time", "60", "--seed", "1"])
        // One thread: in several, CPython's parser can fail ("AST constructor recursion depth mismatch").
        .args(["--max-examples", "15", "--workers", "1", "--request-timeout", "30", "--no-color"])
        .env("HYPOTHESIS_STORAGE_DIRECTORY", env::temp_dir())
        .current_dir(env::temp_dir())
        .kill_on_drop(true);
    let ran = timeout(DEADLINE, fuzzer.output()).await.expect("the fuzzer ends in time");
    let ran = ran.expect("the fuzzer can be run");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    drop(api);
}

/// Where the fuzzer finds something, and not only 404.
fn known(event: &str, webhook: &str) -> String {
    let operation = |name: &str, parameters: &[(&str, &str)]| {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, id)| format!("\"{name}\" = \"{id}\"")).collect();
        format!("[[operations]]\ninclude-name = \"{name}\"\nparameters = {{ {} }}\n", parameters.join(", "))
    };
    let delivery = [("path.event", event), ("path.webhook", webhook)];
    [
        operation("GET /v1/events/{event}", &[("path.event", event)]),
        operation("GET /v1/events/{event}/explain", &[("path.event", event), ("query.webhook", webhook)]),
        operation("GET /v1/webhooks/{id}/deliveries", &[("path.id", webhook)]),
        operation("GET /v1/webhooks/{id}/statistics", &[("path.id", webhook)]),
        operation("GET /v1/event-types/{type}", &[("path.type", "todo.created")]),
        operation("PUT /v1/event-types/{type}", &[("path.type", "todo.created")]),
        operation("PATCH /v1/webhooks/{id}", &[("path.id", webhook)]),
        operation("POST /v1/webhooks/{id}/replay", &[("path.id", webhook)]),
        operation("GET /v1/deliveries/{event}/{webhook}", &delivery),
        operation("POST /v1/deliveries/{event}/{webhook}/redeliver", &delivery),
    ]
    .concat()
}
