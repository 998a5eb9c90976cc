//! Ingestion over HTTP.

use posthorn_tests::{App, Receiver, always, eventually, eventually_is};
use serde_json::{Value, json};

#[tokio::test]
async fn an_event_published_over_http_reaches_its_webhooks() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let api = app.api().await;
    let webhook = api.admin().add(&receiver.url("/"), json!([{ "companies": ["c1"] }])).await;
    let _roles = app.start().await;
    let publisher = api.client(&["publish"], &[]).await;

    let event = json!({
        "id": "evt-1", "type": "todo.created", "company_id": "c1", "project_id": "p1",
        "occurred_at": "2026-11-23T10:30:00.123+01:00", "data": { "n": 1.10, "text": "é" }
    });
    let answer = publisher.post("/v1/events", &event).await;
    let reference = "evt_1796fa7261c10226fc5bf949a074578f";
    assert_eq!(answer.expect(202), json!({ "id": "evt-1", "ref": reference }));
    let request = receiver.receives(1).await.remove(0);
    assert_eq!(request.header("webhook-id"), reference);
    assert!(request.is_signed_with(webhook["secret"].as_str().unwrap()));
    let expected = r#"{"id":"evt-1","type":"todo.created","timestamp":"2026-11-23T09:30:00.123Z","company_id":"c1","project_id":"p1","data":{"n":1.1,"text":"é"}}"#;
    assert_eq!(String::from_utf8(request.body).unwrap(), expected);

    let event = json!({ "type": "todo.created", "company_id": "c1", "data": {} });
    let made = publisher.post("/v1/events", &event).await.expect(202);
    receiver.receives_of(made["id"].as_str().unwrap(), 1).await;
}

#[tokio::test]
async fn all_that_is_wrong_with_an_event_is_told_at_once() {
    let app = App::with(&[("POSTHORN_MAX_EVENT_BYTES", "1000")]).await;
    let api = app.api().await;
    let publisher = api.client(&["publish"], &["c1"]).await;
    let bad =
        json!({ "id": "a.b", "type": "todo created", "company_id": "c2", "project_id": "a\nb", "data": [] });
    let wrong = [
        ("/id", "bad_event"),
        ("/type", "bad_event"),
        ("/company_id", "outside_scope"),
        ("/project_id", "bad_event"),
        ("/data", "bad_event"),
    ];
    publisher.post("/v1/events", &bad).await.wrong(422, "invalid", &wrong);
    let wrong = [("/type", "bad_event"), ("/company_id", "outside_scope"), ("/data", "bad_event")];
    publisher.post("/v1/events", &json!({})).await.wrong(422, "invalid", &wrong);
    let reserved = json!({ "type": "webhook.test", "company_id": "c1", "data": {} });
    publisher.post("/v1/events", &reserved).await.wrong(422, "invalid", &[("/type", "reserved")]);
    let large = json!({ "type": "a", "company_id": "c1", "data": { "text": "x".repeat(1000) } });
    publisher.post("/v1/events", &large).await.wrong(422, "invalid", &[("", "too_large")]);
}

#[tokio::test]
async fn each_event_of_a_batch_has_its_own_result() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let api = app.api().await;
    api.admin().add(&receiver.url("/"), json!([{}])).await;
    let _roles = app.start().await;
    let publisher = api.client(&["publish"], &[]).await;
    let good = |id: usize| json!({ "id": format!("evt-{id:04}"), "type": "todo.created", "data": {} });

    let events: Vec<_> = (0..1000).map(good).collect();
    let answer = publisher.post("/v1/events:batch", &json!({ "events": events })).await.expect(202);
    assert!(answer["data"].as_array().unwrap().iter().all(|item| item["result"] == "published"));
    let ids: Vec<_> = (0..1000).map(|id| format!("evt-{id:04}")).collect();
    eventually_is("arrived", ids, async || receiver.accepted("/")).await;

    let mixed = json!({ "events": [good(1000), { "type": "" }, 7] });
    let answer = publisher.post("/v1/events:batch", &mixed).await.expect(207);
    let results: Vec<_> =
        answer["data"].as_array().unwrap().iter().map(|item| item["result"].clone()).collect();
    assert_eq!(results, ["published", "refused", "refused"]);
    assert_eq!(answer["data"][0]["id"], "evt-1000");
    assert_eq!(answer["data"][1]["errors"].as_array().unwrap().len(), 2, "{answer}");

    let many = vec![Value::Null; 1001];
    let wrong = [("/events", "too_many")];
    publisher.post("/v1/events:batch", &json!({ "events": many })).await.wrong(422, "invalid", &wrong);
    let wrong = [("/events", "empty_list")];
    publisher.post("/v1/events:batch", &json!({ "events": [] })).await.wrong(422, "invalid", &wrong);
}

#[tokio::test]
async fn without_a_broker_nothing_is_accepted_and_the_rest_goes_on() {
    let app = App::with(&[("POSTHORN_AMQP_URL", "amqp://guest:guest@127.0.0.1:1/%2f")]).await;
    let mut process = app.spawn(&["api"]);
    let address = process.api().await;
    let api = posthorn_tests::Api { process, address };
    let admin = api.admin();
    let webhook = eventually("the database is there", async || {
        let input = json!({ "url": "http://127.0.0.1:9/", "rules": [{}] });
        let answer = admin.post("/v1/webhooks", &input).await;
        (answer.status == 201).then(|| answer.json())
    })
    .await;
    // Nothing can wait for a new webhook; later the broker would have to be asked.
    assert_eq!(webhook["waiting"], 0);
    let path = format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap());
    assert_eq!(admin.get(&path).await.expect(200)["waiting"], Value::Null);
    let event = json!({ "type": "todo.created", "data": {} });
    let refused = admin.post("/v1/events", &event).await;
    refused.problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some());
}
