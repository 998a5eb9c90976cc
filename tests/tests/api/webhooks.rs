//! Webhooks: made, shown, listed, changed, deleted.

use posthorn_tests::{App, Receiver, always, event, eventually};
use serde_json::{Value, json};

#[tokio::test]
async fn a_webhook_that_is_made_gets_events_with_its_own_headers() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let roles = app.start().await;
    let api = app.api().await;
    let admin = api.admin();

    let input = json!({
        "name": "orders", "description": "two\nlines", "url": receiver.url("/hook"),
        "rules": [{ "event_types": ["order.*"], "pattern": { "data": { "n": [{ "numeric": [">", 1.50] }] } } }, { "event_types": ["todo.*"] }],
        "headers": { "X-Key": "abc", "authorization": "Bearer x" }, "http2": true, "timeout_ms": 5000, "max_in_flight": 3,
        "disable_policy": "failing", "metadata": { "team": "blue" }, "contact": "ops@example.com"
    });
    let body = input.to_string().replace("1.5", "1.50");
    let answer = admin.send("POST", "/v1/webhooks", Some("application/json"), body.as_bytes()).await;
    let made = answer.expect(201);
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), Some(path.as_str()));
    let shown = admin.get(&path).await;
    assert_eq!(shown.header("etag"), answer.header("etag"));
    assert!(shown.text.contains("1.50"), "numbers keep their digits: {}", shown.text);
    let shown = shown.expect(200);
    for (name, value) in input.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
    assert_eq!(
        (&shown["state"], &shown["secret"], &shown["epoch"]),
        (&json!("healthy"), &Value::Null, &json!(1))
    );

    let event = event("todo.created");
    let secret = made["secret"].as_str().unwrap();
    eventually("the webhook is in force", async || {
        app.publish(&event).await;
        (receiver.count() > 0).then_some(())
    })
    .await;
    let request = receiver.requests().remove(0);
    assert!(request.is_signed_with(secret));
    assert_eq!((request.header("x-key"), request.header("authorization")), ("abc", "Bearer x"));

    let reader = api.client(&["read"], &[]).await;
    let seen = reader.get(&path).await.expect(200);
    assert_eq!(seen["headers"], json!({ "X-Key": null, "authorization": null }));
    drop(roles);
}

#[tokio::test]
async fn all_that_is_wrong_with_a_webhook_is_told_at_once() {
    let app = App::create().await;
    let api = app.api().await;
    let bad = json!({
        "name": "x".repeat(201), "url": "http://169.254.169.254/",
        "rules": [{ "event_types": [], "colour": 1 }, { "companies": [""] }],
        "headers": { "Host": "x", "webhook-id": "x", "x-good": "y" }, "timeout_ms": 999, "max_in_flight": 1001,
        "metadata": { "k": "x".repeat(501) }, "contact": "nobody"
    });
    let wrong = [
        ("/name", "bad_text"),
        ("/url", "forbidden_url"),
        ("/rules/0/event_types", "empty_list"),
        ("/rules/0/colour", "unknown_field"),
        ("/rules/1/companies/0", "empty_id"),
        ("/headers/Host", "bad_entry"),
        ("/headers/webhook-id", "bad_entry"),
        ("/timeout_ms", "out_of_range"),
        ("/max_in_flight", "out_of_range"),
        ("/metadata/k", "bad_entry"),
        ("/contact", "bad_text"),
    ];
    api.admin().post("/v1/webhooks", &bad).await.wrong(422, "invalid", &wrong);
    let bad = json!({ "name": 1, "rulez": [], "disable_policy": "never" });
    let wrong = [("/name", "wrong_type"), ("/rulez", "unknown_field"), ("/disable_policy", "wrong_type")];
    api.admin().post("/v1/webhooks", &bad).await.wrong(422, "invalid", &wrong);
    let wrong = [("/url", "required"), ("/rules", "required")];
    api.admin().post("/v1/webhooks", &json!({})).await.wrong(422, "invalid", &wrong);
    assert!(app.database.webhook_ids().await.is_empty());
}

#[tokio::test]
async fn forbidden_urls_are_refused_with_the_reason() {
    let app = App::create().await;
    let api = app.api().await;
    for (url, words) in [
        ("http://10.1.2.3/", "10.1.2.3"),
        ("https://user:pass@example.com/", "user name"),
        ("https://example.com/#x", "fragment"),
        ("https://example.com:25/", "port 25"),
        ("ftp://example.com/", "http"),
        ("nonsense", "URL"),
        ("https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.com/", "63"),
        ("https://a..b/", "dots"),
        ("https://example.com/a\nb", "line end"),
        ("https:example.com", "//"),
    ] {
        let answer = api.admin().post("/v1/webhooks", &json!({ "url": url, "rules": [{}] })).await;
        answer.wrong(422, "invalid", &[("/url", "forbidden_url")]);
        let detail = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(words), "{url}: {detail}");
    }
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_only_the_version_it_is_based_on() {
    let app = App::create().await;
    let api = app.api().await;
    let admin = api.admin();
    let input = json!({
        "name": "a", "url": "http://127.0.0.1:9/a", "rules": [{ "projects": ["p1"] }],
        "headers": { "x-a": "1", "x-b": "2" }, "contact": "ops@example.com"
    });
    let made = admin.post("/v1/webhooks", &input).await;
    let (first, path) = (made.header("etag").unwrap(), made.header("location").unwrap());

    let patch = json!({ "name": "b", "headers": { "x-a": null, "x-c": "3" }, "contact": null });
    let patched = admin.clone().header("if-match", first).patch(path, &patch).await;
    let shown = patched.expect(200);
    assert_eq!((&shown["name"], &shown["contact"]), (&json!("b"), &Value::Null));
    assert_eq!(shown["headers"], json!({ "x-b": "2", "x-c": "3" }));
    assert_eq!((&shown["url"], &shown["rules"]), (&input["url"], &input["rules"]));

    let stale = admin.clone().header("if-match", first);
    stale.patch(path, &json!({ "name": "c" })).await.problem(412, "changed");
    stale.delete(path).await.problem(412, "changed");
    admin.patch(path, &json!({ "id": "x" })).await.wrong(422, "invalid", &[("/id", "unknown_field")]);
    admin.patch(path, &json!({ "rules": null })).await.wrong(422, "invalid", &[("/rules", "required")]);
    assert_eq!(admin.get(path).await.expect(200)["name"], "b");

    let fresh = admin.clone().header("if-match", patched.header("etag").unwrap());
    fresh.delete(path).await.expect(204);
    admin.get(path).await.problem(404, "not-found");
    admin.delete(path).await.problem(404, "not-found");
}

#[tokio::test]
async fn the_list_has_pages_and_filters() {
    let app = App::create().await;
    let api = app.api().await;
    let admin = api.admin();
    let mut ids = Vec::new();
    for (path, rules) in [
        ("/one", json!([{ "companies": ["c1"] }])),
        ("/two", json!([{ "event_types": ["todo.*"], "except_event_types": ["todo.deleted"] }])),
        ("/three", json!([{ "companies": ["c2"], "event_types": ["comment.*"] }])),
    ] {
        let made = admin.add(&format!("http://127.0.0.1:9{path}"), rules).await;
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    admin.act(&format!("/v1/webhooks/{}/pause", ids[2])).await.expect(200);

    let found = async |query: &str| {
        let rows = admin.all(&format!("/v1/webhooks?{query}")).await;
        rows.iter().map(|row| ids.iter().position(|id| *id == row["id"]).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(found("limit=1").await, [0, 1, 2]);
    assert_eq!(found("limit=250").await, [0, 1, 2]);
    assert_eq!(found("state=paused").await, [2]);
    assert_eq!(found("state=healthy&limit=1").await, [0, 1]);
    assert_eq!(found("url=%2Ftwo").await, [1]);
    assert_eq!(found("company=c1").await, [0, 1]);
    assert_eq!(found("event_type=todo.created").await, [0, 1]);
    assert_eq!(found("event_type=todo.deleted").await, [0]);
    let bad = [("state", "wrong_type"), ("event_type", "bad_event_type")];
    admin.get("/v1/webhooks?state=gone").await.wrong(400, "bad-parameters", &bad[..1]);
    admin.get("/v1/webhooks?event_type=x*").await.wrong(400, "bad-parameters", &bad[1..]);
}
