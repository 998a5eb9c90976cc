//! Requests that create something, done once.

use posthorn_tests::App;
use serde_json::{Value, json};

#[tokio::test]
async fn a_repeated_request_is_done_once_and_answered_the_same() {
    let app = App::create().await;
    let api = app.api().await;
    let keyed = api.admin().header("idempotency-key", "key-1");
    let input = json!({ "url": "http://127.0.0.1:9/", "rules": [{}] });

    let first = keyed.post("/v1/webhooks", &input).await;
    let second = keyed.post("/v1/webhooks", &input).await;
    assert_eq!(first.expect(201), second.expect(201));
    assert!(first.json()["secret"].is_string());
    assert_eq!(first.header("location"), second.header("location"));
    assert_eq!(first.header("etag"), second.header("etag"));
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(app.database.webhook_ids().await.len(), 1);

    let other = json!({ "url": "http://127.0.0.1:9/other", "rules": [{}] });
    keyed.post("/v1/webhooks", &other).await.problem(422, "idempotency-key-reused");
    let token = json!({ "name": "x", "scopes": ["read"] });
    keyed.post("/v1/tokens", &token).await.problem(422, "idempotency-key-reused");
    let writer = api.client(&["write"], &[]).await.header("idempotency-key", "key-1");
    writer.post("/v1/webhooks", &other).await.expect(201);

    let secret = first.json()["secret"].as_str().unwrap().to_owned();
    let rows = app.database.query("SELECT answer FROM idempotency_keys", &[]).await;
    assert!(rows.iter().all(|row| !String::from_utf8_lossy(row.get::<_, &[u8]>(0)).contains(&secret)));

    app.database.script("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'").await;
    keyed.post("/v1/webhooks", &other).await.expect(201);
}

#[tokio::test]
async fn at_the_same_time_only_one_is_done() {
    let app = App::create().await;
    let api = app.api().await;
    let keyed = api.admin().header("idempotency-key", "key-1");
    let input = json!({ "url": "http://127.0.0.1:9/", "rules": [{}] });
    let requests = (0..8).map(|_| keyed.post("/v1/webhooks", &input));
    let answers = futures_util::future::join_all(requests).await;
    for answer in answers {
        match answer.status {
            201 => {}
            _ => _ = answer.problem(409, "idempotency-key-in-use"),
        }
    }
    assert_eq!(app.database.webhook_ids().await.len(), 1);
}

#[tokio::test]
async fn a_request_that_was_refused_may_be_mended_under_the_same_key() {
    let app = App::create().await;
    let api = app.api().await;
    let keyed = api.admin().header("idempotency-key", "key-1");
    keyed.post("/v1/webhooks", &json!({})).await.problem(422, "invalid");
    keyed.post("/v1/webhooks", &json!({ "url": "http://127.0.0.1:9/", "rules": [{}] })).await.expect(201);
    let bad = api.admin().header("idempotency-key", &"x".repeat(256));
    bad.post("/v1/webhooks", &Value::Null).await.problem(400, "bad-request");
}
