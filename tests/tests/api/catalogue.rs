//! The catalogue: what events name is there to choose from, is described, and schemas hold.

use posthorn_tests::{App, Event, event, eventually};
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_seen_can_be_described_by_whoever_may_see_it() {
    let app = App::create().await;
    let _roles = app.start().await;
    let api = app.api().await;
    for (company, project) in [("a", "p/1"), ("b", "p2")] {
        let seen =
            Event { company_id: company.to_owned(), project_id: project.to_owned(), ..event("todo.created") };
        app.publish(&seen).await;
    }
    let all = api.admin();
    eventually("both companies are seen", async || (all.all("/v1/projects").await.len() == 2).then_some(()))
        .await;

    let ours = api.client(&["read", "write"], &["a"]).await;
    let named = ours.put("/v1/companies/a", &json!({ "name": "Example Ltd" })).await.expect(200);
    assert_eq!(named, json!({ "id": "a", "name": "Example Ltd" }));
    assert_eq!(ours.all("/v1/companies?q=example").await, [named]);
    let project = ours.put("/v1/projects/p%2F1?company=a", &json!({ "name": "Office" })).await.expect(200);
    assert_eq!(project, json!({ "company_id": "a", "id": "p/1", "name": "Office" }));
    assert_eq!(ours.get("/v1/projects/p%2F1?company=a").await.expect(200), project);
    assert_eq!(ours.all("/v1/projects?limit=1").await, [project]);
    let companies = all.all("/v1/companies?limit=1").await;
    assert_eq!(companies.iter().map(|company| &company["id"]).collect::<Vec<_>>(), ["a", "b"]);
    all.put("/v1/companies/a", &json!({})).await.wrong(422, "invalid", &[("/name", "required")]);

    ours.delete("/v1/companies/a").await.expect(204);
    ours.get("/v1/companies/a").await.problem(404, "not-found");
    assert_eq!(ours.all("/v1/projects").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_description_is_not_overwritten_unseen() {
    let app = App::create().await;
    let api = app.api().await;
    let path = "/v1/event-types/order.paid";
    let admin = api.admin();
    admin.clone().header("if-match", "*").put(path, &json!({})).await.problem(412, "changed");
    let first = admin.put(path, &json!({ "group": "Orders", "example": { "order": 77 } })).await;
    let tag = first.header("etag").expect("it has a version").to_owned();
    let second = json!({ "group": "Orders", "description": "An order was paid." });
    let based = admin.clone().header("if-match", &tag);
    based.put(path, &second).await.expect(200);
    based.put(path, &json!({})).await.problem(412, "changed");
    let shown = admin.get(path).await.expect(200);
    assert_eq!((&shown["description"], &shown["example"]), (&second["description"], &Value::Null));
    assert_eq!(admin.all("/v1/event-types?q=ORDERS").await, [shown]);

    let log = admin.all("/v1/audit-log?subject_id=order.paid").await;
    let did: Vec<_> = log.iter().map(|entry| &entry["action"]).collect();
    assert_eq!(did, ["event_type.describe", "event_type.describe"]);
    assert_eq!(log[0]["before"]["example"], json!({ "order": 77 }));
    assert_eq!(log[0]["after"]["description"], second["description"]);
    admin.delete(path).await.expect(204);
    admin.delete(path).await.problem(404, "not-found");
    let gone = admin.all("/v1/audit-log?subject_id=order.paid").await.remove(0);
    assert_eq!((&gone["action"], &gone["after"]), (&json!("event_type.delete"), &Value::Null));
}

#[tokio::test]
async fn what_describes_nothing_is_refused_with_all_that_is_wrong() {
    let app = App::create().await;
    let api = app.api().await;
    let admin = api.admin();
    let input = json!({
        "group": "x".repeat(201), "example": [1], "schema": { "type": "objekt" }, "colour": 1
    });
    admin.put("/v1/event-types/a", &input).await.wrong(422, "invalid", &[("/colour", "unknown_field")]);
    let input = json!({ "group": "x".repeat(201), "example": [1], "schema": { "type": "objekt" } });
    let wrong = [("/group", "bad_text"), ("/example", "wrong_type"), ("/schema/type", "bad_schema")];
    admin.put("/v1/event-types/a", &input).await.wrong(422, "invalid", &wrong);
    let input = json!({ "example": { "a": 1 }, "schema": { "properties": { "a": { "type": "string" } } } });
    admin.put("/v1/event-types/a", &input).await.wrong(422, "invalid", &[("/example/a", "schema")]);
    admin.put("/v1/event-types/no%20type", &json!({})).await.problem(404, "not-found");
    admin.put("/v1/event-types/webhook.failing", &json!({})).await.problem(409, "conflict");
}

#[tokio::test]
async fn data_that_does_not_fit_the_schema_of_its_type_is_refused_at_the_door() {
    let app = App::create().await;
    let _roles = app.start().await;
    let api = app.api().await;
    let admin = api.admin();
    let schema = json!({ "required": ["order"], "properties": { "order": { "type": "integer" } } });
    admin.put("/v1/event-types/order.paid", &json!({ "schema": schema })).await.expect(200);
    let event = |data: Value| json!({ "type": "order.paid", "data": data });
    let refused = admin.post("/v1/events", &event(json!({ "order": "77" }))).await;
    refused.wrong(422, "invalid", &[("/data/order", "schema")]);
    let batch = json!({ "events": [
        event(json!({ "order": 77 })), event(json!({})), { "type": "order.sent", "data": {} }
    ] });
    let results = admin.post("/v1/events:batch", &batch).await.expect(207);
    let told: Vec<_> = results["data"].as_array().unwrap().iter().map(|item| &item["result"]).collect();
    assert_eq!(told, ["published", "refused", "published"]);
    assert_eq!(results["data"][1]["errors"][0]["pointer"], "/data");

    // The next event is checked against what the type is described by now.
    admin.put("/v1/event-types/order.paid", &json!({})).await.expect(200);
    admin.post("/v1/events", &event(json!({}))).await.expect(202);
}
