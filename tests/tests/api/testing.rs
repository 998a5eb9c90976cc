//! Tests of webhooks: a real attempt at once.

use posthorn_tests::{App, Receiver, Reply, Request, always};
use serde_json::{Value, json};

#[tokio::test]
async fn a_test_makes_a_signed_attempt_and_changes_nothing() {
    let app = App::create().await;
    let receiver =
        Receiver::start(|_: &Request| Reply::full(418, &[("x-kind", "teapot")], "short and stout")).await;
    let api = app.api().await;
    let admin = api.admin();
    let input = json!({ "url": receiver.url("/"), "rules": [{ "event_types": ["none"] }], "headers": { "x-own": "1" } });
    let webhook = admin.post("/v1/webhooks", &input).await.expect(201);
    let path = format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap());
    admin.act(&format!("{path}/pause")).await.expect(200);

    let tested = admin.act(&format!("{path}/test")).await.expect(200);
    assert_eq!((&tested["outcome"], &tested["status"]), (&json!("refused"), &json!(418)));
    assert_eq!(tested["response_body"], "short and stout");
    let headers = tested["response_headers"].as_array().unwrap();
    assert!(headers.contains(&json!({ "name": "x-kind", "value": "teapot" })), "{tested}");
    assert!(tested["phases"]["connect_ms"].is_u64() && tested["phases"]["dns_ms"].is_null(), "{tested}");

    let request = receiver.requests().remove(0);
    assert!(request.is_signed_with(webhook["secret"].as_str().unwrap()));
    assert_eq!(request.json()["type"], "webhook.test");
    assert_eq!((request.id(), request.header("x-own")), (tested["event_id"].as_str().unwrap(), "1"));
    assert_eq!(request.webhook_id(), tested["event_ref"]);
    let shown = admin.get(&path).await.expect(200);
    assert_eq!((&shown["state"], &shown["last_failed_at"]), (&json!("paused"), &Value::Null));
    assert_eq!(app.database.count("SELECT count(*) FROM attempts", &[]).await, 0);
}

#[tokio::test]
async fn a_redirect_is_told_with_where_it_goes() {
    let app = App::create().await;
    let location = "https://example.com/new";
    let receiver = Receiver::start(move |_: &Request| Reply::full(308, &[("location", location)], "")).await;
    let api = app.api().await;
    let webhook = api.admin().add(&receiver.url("/"), json!([{}])).await;
    let path = format!("/v1/webhooks/{}/test", webhook["id"].as_str().unwrap());
    let tested = api.admin().act(&path).await.expect(200);
    assert_eq!((&tested["outcome"], &tested["status"]), (&json!("refused"), &json!(308)));
    assert!(tested["error"].as_str().is_some_and(|words| words.contains(location)), "{tested}");
}

#[tokio::test]
async fn a_test_tells_why_there_was_no_answer_and_dials_no_forbidden_address() {
    let app = App::create().await;
    let api = app.api().await;
    let admin = api.admin();
    let forbidden = Receiver::at("127.0.0.2:0", always(200)).await;
    for (url, class) in [
        ("http://no-such-host.invalid/".to_owned(), "dns"),
        ("http://127.0.0.1:1024/".to_owned(), "connect"),
        (forbidden.url("/"), "blocked"),
    ] {
        let webhook = admin.add("http://127.0.0.1:9/", json!([{}])).await;
        let id = posthorn_tests::database::uuid_of(webhook["id"].as_str().unwrap());
        app.database.execute("UPDATE webhooks SET url = $2 WHERE id = $1", &[&id, &url]).await;
        let tested =
            admin.act(&format!("/v1/webhooks/{}/test", webhook["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(
            (&tested["outcome"], &tested["unreachable_class"]),
            (&json!("unreachable"), &json!(class)),
            "{url}"
        );
        assert!(tested["error"].as_str().is_some_and(|error| !error.is_empty()), "{tested}");
        assert_eq!(tested["status"], Value::Null);
    }
    assert_eq!(forbidden.connections(), 0);
}

#[tokio::test]
async fn only_who_sees_all_companies_is_told_an_address_that_is_not_public() {
    let app = App::create().await;
    let api = app.api().await;
    let owner = api.client(&["read", "write"], &["c1"]).await;
    let webhook = owner.add("http://127.0.0.1:9/", json!([{ "companies": ["c1"] }])).await;
    let id = webhook["id"].as_str().unwrap();
    let inner = "http://127.0.0.2:8080/";
    let row = posthorn_tests::database::uuid_of(id);
    app.database.execute("UPDATE webhooks SET url = $2 WHERE id = $1", &[&row, &inner]).await;
    let _roles = app.start().await;
    let event = posthorn_tests::event("todo.created");
    let event = posthorn_tests::Event { company_id: "c1".to_owned(), ..event };
    app.publish(&event).await;

    let path = format!("/v1/webhooks/{id}/deliveries");
    let attempted = async || api.admin().all(&path).await.pop();
    let seen = posthorn_tests::eventually("an attempt is recorded", attempted).await;
    assert_eq!(seen["last_attempt"]["address"], "127.0.0.2", "{seen}");
    let tested = api.admin().act(&format!("/v1/webhooks/{id}/test")).await.expect(200);
    assert_eq!(tested["address"], "127.0.0.2", "{tested}");

    let told = owner.all(&path).await.pop().unwrap();
    assert_eq!(told["last_attempt"]["error"], "its address is not public", "{told}");
    let tested = owner.act(&format!("/v1/webhooks/{id}/test")).await.expect(200);
    assert_eq!(tested["error"], "its address is not public", "{tested}");
    for answer in [told, tested] {
        assert!(!answer.to_string().contains("127.0.0.2"), "{answer}");
    }
}

#[tokio::test]
async fn the_values_of_own_headers_are_hidden_from_the_answer_and_from_the_database() {
    let app = App::create().await;
    let echo = |request: &Request| {
        let key = request.header("x-key").to_owned();
        Reply::full(401, &[("x-echo", &key)], format!("`{key}` is not allowed"))
    };
    let receiver = Receiver::start(echo).await;
    let api = app.api().await;
    let input = json!({ "url": receiver.url("/"), "rules": [{}], "headers": { "X-Key": "hush-hush" } });
    let webhook = api.admin().post("/v1/webhooks", &input).await.expect(201);
    let id = webhook["id"].as_str().unwrap();
    assert_eq!(webhook["headers"]["X-Key"], "hush-hush", "its owner may see it");

    let tested = api.admin().act(&format!("/v1/webhooks/{id}/test")).await.expect(200);
    assert_eq!(receiver.requests()[0].header("x-key"), "hush-hush");
    assert_eq!(tested["response_body"], "`[hidden]` is not allowed");
    assert!(!tested.to_string().contains("hush"), "{tested}");

    let hidden = async |table: &str| {
        let query = format!("SELECT count(*) FROM {table} AS row WHERE row::text LIKE '%hush%'");
        assert_eq!(app.database.count(&query, &[]).await, 0, "{table}");
        let query = format!("SELECT count(*) FROM {table} AS row WHERE row::text LIKE '%687573682d%'");
        assert_eq!(app.database.count(&query, &[]).await, 0, "{table}, as bytes");
    };
    hidden("webhooks").await;
    hidden("audit_log").await;
    hidden("webhook_versions").await;
}
