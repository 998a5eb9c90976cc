//! Deliveries: listed, shown with all attempts, made once more.

use posthorn_tests::{App, Receiver, Reply, Request, event};
use serde_json::{Value, json};

fn receiver_script(request: &Request) -> Reply {
    match (request.json()["type"].as_str().unwrap_or_default(), request.attempt()) {
        ("todo.refused", _) => Reply::full(400, &[("x-why", "bad")], "no thanks"),
        ("todo.retried", 1) => Reply::status(503),
        _ => Reply::status(200),
    }
}

#[tokio::test]
async fn deliveries_are_listed_shown_and_made_once_more() {
    let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "300ms")]).await;
    let receiver = Receiver::start(receiver_script).await;
    let api = app.api().await;
    let admin = api.admin();
    let webhook = admin.add(&receiver.url("/"), json!([{}])).await;
    let id = webhook["id"].as_str().unwrap();
    let _roles = app.start().await;

    let events = ["todo.created", "todo.retried", "todo.refused"].map(event);
    let mut details = Vec::new();
    for event in &events {
        app.publish(event).await;
        let path = format!("/v1/deliveries/{}/{id}", event.id);
        let state = if event.r#type == "todo.refused" { "failed" } else { "succeeded" };
        details.push(admin.shows(&path, "/state", json!(state)).await);
    }
    let attempts: Vec<_> = details.iter().map(|it| it["attempts"].as_array().unwrap().len()).collect();
    assert_eq!(attempts, [1, 2, 2]);
    let refused = &details[2]["attempts"][1];
    assert_eq!((&refused["attempt"], &refused["status"]), (&json!(2), &json!(400)));
    assert_eq!((&refused["step"], &refused["response_body"]), (&json!("disable"), &json!("no thanks")));
    let headers = refused["response_headers"].as_array().unwrap();
    assert!(headers.contains(&json!({ "name": "x-why", "value": "bad" })), "{refused}");
    assert!(refused["phases"]["first_byte_ms"].is_u64(), "{refused}");
    assert!(details[0]["attempts"][0]["phases"]["connect_ms"].is_u64(), "{}", details[0]);
    assert!(details[1]["attempts"][0]["next_attempt_at"].is_string(), "{}", details[1]);

    let found = async |query: &str| {
        let rows = admin.all(&format!("/v1/webhooks/{id}/deliveries?{query}")).await;
        rows.iter()
            .map(|row| events.iter().position(|it| it.id == row["event_id"]).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("").await, [2, 1, 0]);
    assert_eq!(found("limit=1").await, [2, 1, 0]);
    assert_eq!(found("outcome=accepted").await, [1, 0]);
    assert_eq!(found("outcome=refused,unreachable").await, [2]);
    assert_eq!(found("outcome=unreachable").await, [0; 0]);
    assert_eq!(found("event_type=todo.re*").await, [2, 1]);
    assert_eq!(found("since=2030-01-01T00:00:00Z").await, [0; 0]);
    assert_eq!(found("until=2030-01-01T00:00:00Z").await, [2, 1, 0]);
    let path = format!("/v1/webhooks/{id}/deliveries?outcome=good");
    admin.get(&path).await.wrong(400, "bad-parameters", &[("outcome", "unknown_outcome")]);

    admin.act(&format!("/v1/webhooks/{id}/enable")).await.expect(200);
    let path = format!("/v1/deliveries/{}/{id}", events[0].id);
    let again = admin.act(&format!("{path}/redeliver")).await.expect(202);
    assert_eq!((&again["event_id"], &again["webhook_id"]), (&json!(events[0].id), &webhook["id"]));
    let requests = receiver.receives_of(&events[0].id, 2).await;
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(requests[1].attempt(), 1);
    admin.shows(&path, "/attempts/1/outcome", json!("accepted")).await;
    assert_eq!(found("").await, [0, 2, 1]);
}

#[tokio::test]
async fn nothing_is_delivered_once_more_to_a_webhook_that_gets_nothing_or_does_not_want_it() {
    let app = App::create().await;
    let receiver = Receiver::start(receiver_script).await;
    let api = app.api().await;
    let admin = api.admin();
    let webhook = admin.add(&receiver.url("/"), json!([{ "event_types": ["none"] }])).await;
    let id = webhook["id"].as_str().unwrap();
    let _roles = app.start().await;
    let event = event("todo.created");
    app.publish(&event).await;
    app.database.records_event(&event.id).await;

    let path = format!("/v1/deliveries/{}/{id}", event.id);
    admin.get(&path).await.problem(404, "not-found");
    admin.act(&format!("{path}/redeliver")).await.problem(409, "conflict");
    admin.patch(&format!("/v1/webhooks/{id}"), &json!({ "rules": [{}] })).await.expect(200);
    admin.act(&format!("/v1/webhooks/{id}/pause")).await.expect(200);
    let refused = admin.act(&format!("{path}/redeliver")).await.problem(409, "conflict");
    assert!(refused["detail"].as_str().unwrap().contains("paused"), "{refused}");
    admin.act(&format!("/v1/webhooks/{id}/resume")).await.expect(200);
    admin.act(&format!("{path}/redeliver")).await.expect(202);
    receiver.receives_of(&event.id, 1).await;
    admin.get("/v1/deliveries/none/whk_00000000000000000000000000000000").await.problem(404, "not-found");
    assert_eq!(admin.shows(&path, "/state", json!("succeeded")).await["attempts"][0]["error"], Value::Null);
}
