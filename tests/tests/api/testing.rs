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
    let shown = admin.get(&path).await.expect(200);
    assert_eq!((&shown["state"], &shown["last_failed_at"]), (&json!("paused"), &Value::Null));
    assert_eq!(app.database.count("SELECT count(*) FROM attempts", &[]).await, 0);
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
