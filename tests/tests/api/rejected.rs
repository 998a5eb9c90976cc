//! Rejected events: looked at, repaired, discarded.

use posthorn_tests::{Api, App, Receiver, always, api::text, broker::identified, event, eventually};
use prost::Message;
use serde_json::{Value, json};

/// Publishes messages that are no events, and returns how the API lists them, in the same order.
async fn reject(app: &App, api: &Api, messages: &[&[u8]]) -> Vec<Value> {
    for (number, message) in messages.iter().enumerate() {
        app.broker.publish(&app.name("events"), "key", identified(&format!("m{number}")), message).await;
    }
    let mut rows = eventually("all are listed", async || {
        Some(api.admin().all("/v1/rejected-events?limit=1").await).filter(|rows| rows.len() == messages.len())
    })
    .await;
    rows.sort_by_key(|row| text(row, "message_id").to_owned());
    rows
}

#[tokio::test]
async fn a_rejected_event_is_shown_and_published_after_repair() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let api = app.api().await;
    let admin = api.admin();
    admin.add(&receiver.url("/"), json!([{}])).await;
    let _roles = app.start().await;
    let good = event("todo.created");
    let rows = reject(&app, &api, &[b"\xff{\"a\"", b"second", b"third"]).await;
    let path = |row: &Value| format!("/v1/rejected-events/{}", row["id"].as_str().unwrap());

    let shown = admin.get(&path(&rows[0])).await.expect(200);
    assert_eq!((&shown["hex"], &shown["text"]), (&json!("ff7b226122"), &json!("\u{fffd}{\"a\"")));
    assert_eq!(
        (&shown["is_whole"], &shown["field"], &shown["size"]),
        (&json!(true), &json!("message"), &json!(5))
    );

    let publish = path(&rows[0]) + "/publish";
    admin.act(&publish).await.wrong(422, "invalid", &[("", "bad_event")]);
    admin.post(&publish, &json!({ "type": "" })).await.problem(422, "invalid");
    let repaired = json!({ "id": good.id, "type": "todo.created", "data": {} });
    assert_eq!(admin.post(&publish, &repaired).await.expect(202)["event_id"], good.id.as_str());
    receiver.receives_of(&good.id, 1).await;
    admin.post(&publish, &repaired).await.problem(409, "conflict");

    let discard = path(&rows[1]) + "/discard";
    admin.act(&discard).await.expect(204);
    admin.act(&discard).await.problem(409, "conflict");
    assert_eq!(admin.get(&path(&rows[1])).await.expect(200)["resolution"], "discarded");
    let open = admin.all("/v1/rejected-events?open=true").await;
    assert_eq!((open.len(), &open[0]["id"]), (1, &rows[2]["id"]));
    assert_eq!(admin.all("/v1/rejected-events?open=false").await.len(), 2);
    admin.get("/v1/rejected-events/rej_nonsense").await.problem(404, "not-found");
}

#[tokio::test]
async fn what_is_an_event_by_now_is_published_as_it_is() {
    let app = App::with(&[("POSTHORN_MAX_EVENT_BYTES", "100")]).await;
    let roles = app.start().await;
    let api = app.api().await;
    let large = event("todo.created");
    let rows = reject(&app, &api, &[&large.encode_to_vec()]).await;
    let publish = format!("/v1/rejected-events/{}/publish", rows[0]["id"].as_str().unwrap());
    api.admin().act(&publish).await.wrong(422, "invalid", &[("", "bad_event")]);
    drop((roles, api));

    let mut app = app;
    app.settings.insert("POSTHORN_MAX_EVENT_BYTES".to_owned(), "10000".to_owned());
    let _roles = app.start().await;
    let api = app.api().await;
    assert_eq!(api.admin().act(&publish).await.expect(202)["event_id"], large.id.as_str());
    app.database.records_event(&large.id).await;
}
