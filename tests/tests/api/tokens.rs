//! Tokens: made, used, revoked, by the API and by commands.

use std::time::Duration;

use posthorn_tests::{App, Client, within};
use serde_json::json;

#[tokio::test]
async fn a_token_opens_what_its_scopes_say_until_it_is_revoked() {
    let app = App::create().await;
    let api = app.api().await;
    let admin = api.admin();

    let made = admin.post("/v1/tokens", &json!({ "name": "backend", "scopes": ["read", "read"] })).await;
    let id = made.expect(201)["id"].as_str().unwrap().to_owned();
    assert_eq!(made.header("location"), Some(format!("/v1/tokens/{id}").as_str()));
    let text = made.json()["token"].as_str().unwrap().to_owned();
    assert!(text.starts_with("pht_") && text.len() == 68, "{text}");
    let reader = api.with_token(&text);

    reader.get("/v1/webhooks").await.expect(200);
    reader.post("/v1/webhooks", &json!({})).await.problem(403, "forbidden");
    reader.get("/v1/tokens").await.problem(403, "forbidden");
    let shown = admin.get(&format!("/v1/tokens/{id}")).await.expect(200);
    assert_eq!((&shown["scopes"], &shown["token"]), (&json!(["read"]), &json!(null)));
    let rows = app.database.query("SELECT hash FROM tokens", &[]).await;
    assert!(!String::from_utf8_lossy(rows[0].get::<_, &[u8]>(0)).contains(&text[4..]));

    assert_eq!(admin.delete(&format!("/v1/tokens/{id}")).await.status, 204);
    reader.get("/v1/webhooks").await.problem(401, "unauthenticated");
    assert!(admin.get(&format!("/v1/tokens/{id}")).await.expect(200)["revoked_at"].is_string());
}

#[tokio::test]
async fn all_that_is_wrong_with_a_token_is_told_at_once() {
    let app = App::create().await;
    let api = app.api().await;
    let bad = json!({
        "name": " ", "scopes": [], "companies": [""], "expires_at": "2020-01-01T00:00:00Z", "colour": 1
    });
    api.admin().post("/v1/tokens", &bad).await.wrong(422, "invalid", &[("/colour", "unknown_field")]);
    let mut bad = bad;
    bad.as_object_mut().unwrap().remove("colour");
    let wrong = [
        ("/name", "required"),
        ("/scopes", "required"),
        ("/companies/0", "empty_id"),
        ("/expires_at", "past"),
    ];
    api.admin().post("/v1/tokens", &bad).await.wrong(422, "invalid", &wrong);
    let bad = json!({ "name": "x", "scopes": ["admin"], "companies": ["c1"] });
    api.admin().post("/v1/tokens", &bad).await.wrong(422, "invalid", &[("/companies", "contradiction")]);
    let bad = json!({ "name": "x", "scopes": ["root"] });
    api.admin().post("/v1/tokens", &bad).await.wrong(422, "invalid", &[("/scopes/0", "wrong_type")]);
}

#[tokio::test]
async fn commands_make_list_and_revoke_tokens() {
    let app = App::create().await;
    let create =
        ["token", "create", "--name", "ci", "--scopes", "read,admin", "--expires-in", "1d", "--json"];
    let made = app.run(&create).await.json();
    let api = app.api().await;
    let client = api.with_token(made["token"].as_str().unwrap());
    let listed = client.all("/v1/tokens?limit=1").await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["name"], "ci");
    assert!(listed[0]["expires_at"].is_string());

    app.run(&["token", "revoke", made["id"].as_str().unwrap()]).await.success();
    refused(&client, "/v1/tokens").await;
    let listed = app.run(&["token", "list", "--json"]).await.json();
    assert!(listed[0]["revoked_at"].is_string(), "{listed}");
}

#[tokio::test]
async fn an_expired_token_opens_nothing() {
    let app = App::create().await;
    let api = app.api().await;
    let client = api.client(&["read"], &[]).await;
    client.get("/v1/webhooks").await.expect(200);
    app.database.script("UPDATE tokens SET expires_at = now()").await;
    refused(&client, "/v1/webhooks").await;
}

/// What another process changes is in force within a second.
async fn refused(client: &Client, path: &str) {
    within(Duration::from_secs(1), "the token opens nothing any more", async || {
        let answer = client.get(path).await;
        (answer.status == 401).then(|| answer.problem(401, "unauthenticated"))
    })
    .await;
}
