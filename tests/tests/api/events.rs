//! Events: listed, and shown with what became of them.

use posthorn_tests::{App, Data, Event, Receiver, event, statuses};
use serde_json::{Value, json};

fn of(event_type: &str, company: &str, project: &str) -> Event {
    Event { company_id: company.to_owned(), project_id: project.to_owned(), ..event(event_type) }
}

#[tokio::test]
async fn events_are_listed_latest_first_with_filters() {
    let app = App::create().await;
    let _roles = app.start().await;
    let api = app.api().await;
    let admin = api.admin();
    let events = [
        of("todo.created", "c1", "p1"),
        of("todo_x.created", "c1", "p2"),
        of("comment.created", "c2", "p1"),
        of("comment.deleted", "c3", ""),
    ];
    for event in &events {
        app.publish(event).await;
        app.database.records_event(&event.id).await;
    }
    let found = async |query: &str| {
        let rows = admin.all(&format!("/v1/events?{query}")).await;
        rows.iter().map(|row| events.iter().position(|it| it.id == row["id"]).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(found("").await, [3, 2, 1, 0]);
    assert_eq!(found("limit=1").await, [3, 2, 1, 0]);
    assert_eq!(found("type=todo.created").await, [0]);
    assert_eq!(found("type=comment.*&limit=1").await, [3, 2]);
    assert_eq!(found("company=c1").await, [1, 0]);
    assert_eq!(found("company=c1&project=p2").await, [1]);
    assert_eq!(found(&format!("id={}", events[2].id)).await, [2]);
    for (filter, fits) in [
        ("type=comment.created&company=c2&project=p1&since=2020-01-01T00:00:00Z", true),
        ("type=todo.*", false),
        ("company=c1", false),
        ("project=p2", false),
        ("since=2030-01-01T00:00:00Z", false),
        ("until=2020-01-01T00:00:00Z", false),
    ] {
        let expected: &[usize] = if fits { &[2] } else { &[] };
        assert_eq!(found(&format!("id={}&{filter}", events[2].id)).await, expected, "{filter}");
    }
    assert_eq!(found("since=2030-01-01T00:00:00Z").await, [0; 0]);
    let rows = admin.all("/v1/events").await;
    let received = rows[1]["received_at"].as_str().unwrap();
    assert_eq!(found(&format!("since={received}")).await, [3, 2]);
    assert_eq!(found(&format!("until={received}")).await, [1, 0]);
    assert_eq!(rows[0]["project_id"], Value::Null);

    let theirs = api.client(&["read"], &["c1", "c3"]).await;
    let seen: Vec<_> = theirs.all("/v1/events").await.iter().map(|row| row["company_id"].clone()).collect();
    assert_eq!(seen, ["c3", "c1", "c1"]);
    let alone = api.client(&["read"], &["c3"]).await;
    assert_eq!(alone.all("/v1/events").await.len(), 1);
    theirs.get(&format!("/v1/events/{}", events[2].id)).await.problem(404, "not-found");
    assert!(theirs.all(&format!("/v1/events?id={}", events[2].id)).await.is_empty());
    assert!(theirs.all("/v1/events?company=c2").await.is_empty());
}

#[tokio::test]
async fn an_event_is_shown_with_its_data_and_its_deliveries() {
    let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "300ms")]).await;
    let receiver = Receiver::start(statuses([503, 200])).await;
    let api = app.api().await;
    let admin = api.admin();
    let wants = admin.add(&receiver.url("/"), json!([{ "companies": ["c1"] }])).await;
    let all = admin.add(&receiver.url("/all"), json!([{}])).await;
    let _roles = app.start().await;
    let event = Event { data: Some(Data::Json(r#"{"n": 1.10}"#.into())), ..event("todo.created") };
    app.publish(&event).await;

    let path = format!("/v1/events/{}", event.id);
    let state = |index| format!("/deliveries/{index}/state");
    admin.shows(&path, &state(0), json!("succeeded")).await;
    let shown = admin.shows(&path, &state(1), json!("succeeded")).await;
    assert!(admin.get(&path).await.text.contains("1.10"), "numbers keep their digits");
    assert_eq!((&shown["type"], &shown["webhooks"]), (&json!("todo.created"), &json!(2)));
    let deliveries = shown["deliveries"].as_array().unwrap();
    assert!(deliveries.iter().all(|it| it["attempts"] == 2 && it["status"] == 200), "{shown}");

    let theirs = api.client(&["read"], &["c1"]).await.get(&path).await.expect(200);
    let seen: Vec<_> = theirs["deliveries"].as_array().unwrap().iter().map(|it| &it["webhook_id"]).collect();
    assert_eq!(seen, [&wants["id"]], "not {}", all["id"]);
}
