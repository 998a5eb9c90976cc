//! Events over HTTP while PostgreSQL is away, and tokens that are made and revoked elsewhere.

use std::time::Duration;

use posthorn_tests::{App, Receiver, Servers, always, eventually, within};
use serde_json::json;

#[tokio::test]
async fn without_postgres_events_are_taken_over_http_and_delivered() {
    let servers = Servers::private().await;
    let app = App::on(&servers, &[]).await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;
    let api = app.api().await;
    let publisher = api.client(&["publish"], &["c1"]).await;
    let schema = json!({ "schema": { "required": ["n"] } });
    api.admin().put("/v1/event-types/todo.created", &schema).await.expect(200);
    let event =
        |id: &str, data| json!({ "id": id, "type": "todo.created", "company_id": "c1", "data": data });
    publisher.post("/v1/events", &event("before", json!({ "n": 1 }))).await.expect(202);

    servers.stop_postgres().await;

    publisher.get("/v1/webhooks").await.problem(403, "forbidden");
    eventually("PostgreSQL is away", async || {
        (api.admin().get("/v1/webhooks").await.status == 503).then_some(())
    })
    .await;
    for number in 0..20 {
        let id = format!("e{number}");
        publisher.post("/v1/events", &event(&id, json!({ "n": 1 }))).await.expect(202);
    }
    let batch = json!({ "events": [event("b1", json!({ "n": 1 })), event("b2", json!({}))] });
    let told = publisher.post("/v1/events:batch", &batch).await.expect(207);
    assert_eq!(
        (&told["data"][0]["result"], &told["data"][1]["result"]),
        (&json!("published"), &json!("refused"))
    );
    publisher.post("/v1/events", &event("bad", json!({}))).await.wrong(
        422,
        "invalid",
        &[("/data", "schema")],
    );
    receiver.receives_of("e19", 1).await;
    receiver.receives_of("b1", 1).await;

    servers.start_postgres().await;
    app.database.records_event("e19").await;
    eventually("PostgreSQL is back", async || {
        (api.admin().get("/v1/webhooks").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_token_works_at_once_everywhere_and_within_a_second_of_its_end_nowhere() {
    let app = App::create().await;
    let (one, other) = (app.api().await, app.api().await);
    for round in 0..3 {
        let made =
            one.admin().post("/v1/tokens", &json!({ "name": "x", "scopes": ["read"] })).await.expect(201);
        let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
        other.with_token(token).get("/v1/webhooks").await.expect(200);
        one.with_token(token).get("/v1/webhooks").await.expect(200);
        if round == 0 {
            // By the command: no process of the API makes the change.
            app.run(&["token", "revoke", id]).await.success();
        } else {
            one.admin().delete(&format!("/v1/tokens/{id}")).await.expect(204);
            one.with_token(token).get("/v1/webhooks").await.problem(401, "unauthenticated");
        }
        for api in [&one, &other] {
            within(Duration::from_secs(1), "it opens nothing any more", async || {
                (api.with_token(token).get("/v1/webhooks").await.status == 401).then_some(())
            })
            .await;
        }
    }
}
