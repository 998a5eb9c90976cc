//! The audit log: every change, whoever makes it.

use posthorn_tests::App;
use serde_json::{Value, json};

#[tokio::test]
async fn every_change_is_in_the_log_with_who_and_what_and_without_secrets() {
    let app = App::create().await;
    let api = app.api().await;
    let admin = api.admin();
    let writer = api.client(&["read", "write"], &[]).await.header("x-request-id", "request-1");

    let input = json!({ "url": "http://127.0.0.1:9/", "rules": [{}], "headers": { "x-key": "hush" } });
    let webhook = writer.post("/v1/webhooks", &input).await.expect(201);
    let id = webhook["id"].as_str().unwrap();
    let path = format!("/v1/webhooks/{id}");
    writer.patch(&path, &json!({ "name": "renamed" })).await.expect(200);
    writer.act(&format!("{path}/pause")).await.expect(200);
    app.run(&["webhook", "resume", id, "--json"]).await.success();
    writer.act(&format!("{path}/rotate-secret")).await.expect(200);
    writer.delete(&path).await.expect(204);

    let log = admin.all(&format!("/v1/audit-log?subject_id={id}&limit=2")).await;
    let actions: Vec<_> = log.iter().rev().map(|entry| entry["action"].as_str().unwrap()).collect();
    let expected = ["create", "update", "pause", "resume", "rotate_secret", "delete"];
    assert_eq!(actions, expected.map(|action| format!("webhook.{action}")));
    let update = &log[4];
    assert_eq!((&update["before"]["name"], &update["after"]["name"]), (&json!(""), &json!("renamed")));
    assert_eq!((&update["actor"], &update["request_id"]), (&json!("a test"), &json!("request-1")));
    assert!(update["token_id"].as_str().unwrap().starts_with("tok_"));
    assert_eq!((&log[2]["actor"], &log[2]["token_id"]), (&json!("command line"), &Value::Null));

    let whole = admin.get("/v1/audit-log").await;
    let secret = webhook["secret"].as_str().unwrap();
    assert!(!whole.text.contains("hush") && !whole.text.contains(secret), "{}", whole.text);
    assert!(!whole.text.contains("hash"), "{}", whole.text);
    let tokens =
        whole.json()["data"].as_array().unwrap().iter().filter(|it| it["action"] == "token.create").count();
    assert_eq!(tokens, 1);
}

#[tokio::test]
async fn the_log_cannot_be_changed() {
    let app = App::create().await;
    let api = app.api().await;
    api.client(&["read"], &[]).await;
    for change in ["DELETE FROM audit_log", "UPDATE audit_log SET actor = 'x'", "TRUNCATE audit_log"] {
        let refused = format!(
            "DO $$ BEGIN {change}; RAISE 'it was changed'; EXCEPTION WHEN raise_exception THEN
                               IF SQLERRM <> 'the audit log is append-only' THEN RAISE; END IF; END $$"
        );
        app.database.script(&refused).await;
    }
    assert_eq!(api.admin().all("/v1/audit-log").await.len(), 1);
}
