//! Why a webhook did, or did not, get an event.

use posthorn_tests::{App, Client, Event, Receiver, always, api::text, event, eventually};
use serde_json::{Value, json};

async fn explain(admin: &Client, event: &str, webhook: &Value) -> Value {
    let path = format!("/v1/events/{event}/explain?webhook={}", text(webhook, "id"));
    admin.get(&path).await.expect(200)
}

#[tokio::test]
async fn it_tells_the_clause_that_failed_and_what_the_webhook_was_then() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let api = app.api().await;
    let admin = api.admin();
    let wants = admin
        .add(&receiver.url("/"), json!([{ "event_types": ["comment.*"] }, { "companies": ["c1"] }]))
        .await;
    let other =
        admin.add(&receiver.url("/other"), json!([{ "pattern": { "data": { "title": ["x"] } } }])).await;
    let _roles = app.start().await;
    let early = event("todo.created");
    app.publish(&early).await;
    app.database.records_event(&early.id).await;

    let path = format!("/v1/events/{}/explain?webhook={}", early.id, wants["id"].as_str().unwrap());
    let told = admin.shows(&path, "/verdict", json!("succeeded")).await;
    assert_eq!((&told["state_then"], &told["rules_of_then"]), (&json!("enabled"), &json!(true)));
    assert_eq!((&told["rules"][0]["matched"], &told["rules"][1]["matched"]), (&json!(false), &json!(true)));
    assert_eq!(told["rules"][0]["clauses"][0]["of"], "event_types");
    let told = explain(&admin, &early.id, &other).await;
    assert_eq!(told["verdict"], "not_matched");
    assert_eq!(told["rules"][0]["alternatives"][0][0]["of"], "data.title");

    // What it is now does not change what it was then.
    admin.act(&format!("/v1/webhooks/{}/pause", wants["id"].as_str().unwrap())).await.expect(200);
    let patch = json!({ "rules": [{ "event_types": ["none"] }] });
    admin.patch(&format!("/v1/webhooks/{}", wants["id"].as_str().unwrap()), &patch).await.expect(200);
    let told = explain(&admin, &early.id, &wants).await;
    assert_eq!((&told["verdict"], &told["state_then"]), (&json!("succeeded"), &json!("enabled")));
    assert_eq!(told["rules"][1]["matched"], true);

    let late = admin.add(&receiver.url("/late"), json!([{}])).await;
    let told = explain(&admin, &early.id, &late).await;
    assert_eq!((&told["verdict"], &told["state_then"]), (&json!("did_not_exist"), &Value::Null));
    let missing = format!("/v1/events/{}/explain", early.id);
    admin.get(&missing).await.wrong(400, "bad-parameters", &[("webhook", "required")]);
}

#[tokio::test]
async fn it_tells_that_the_webhook_was_paused_or_disabled() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let api = app.api().await;
    let admin = api.admin();
    let webhook = admin.add(&receiver.url("/"), json!([{}])).await;
    let _roles = app.start().await;
    for (stop, go_on, verdict) in [("pause", "resume", "paused"), ("disable", "enable", "disabled")] {
        let act = async |verb: &str| {
            admin.act(&format!("/v1/webhooks/{}/{verb}", webhook["id"].as_str().unwrap())).await.expect(200);
        };
        act(stop).await;
        let missed = eventually("an event is missed", async || {
            let event = event("todo.created");
            app.publish(&event).await;
            app.database.records_event(&event.id).await.webhook_ids.is_empty().then_some(event)
        })
        .await;
        act(go_on).await;
        let told = explain(&admin, &missed.id, &webhook).await;
        assert_eq!((&told["verdict"], &told["state_then"]), (&json!(verdict), &json!(verdict)), "{told}");
    }
}

#[tokio::test]
async fn rules_of_then_tell_a_token_nothing_of_companies_that_it_does_not_see() {
    let app = App::create().await;
    let api = app.api().await;
    let webhook = api.admin().add("http://127.0.0.1:9/", json!([{ "companies": ["a", "secret"] }])).await;
    let _router = [app.start_role("router").await, app.start_role("recorder").await];
    let event = Event { company_id: "a".to_owned(), ..event("todo.created") };
    app.publish(&event).await;
    app.database.records_event(&event.id).await;
    let path = format!("/v1/webhooks/{}", text(&webhook, "id"));
    api.admin().patch(&path, &json!({ "rules": [{ "companies": ["a"] }] })).await.expect(200);

    let all = explain(&api.admin(), &event.id, &webhook).await;
    assert!(all["rules_of_then"] == true && all.to_string().contains("secret"), "{all}");
    let ours = explain(&api.client(&["read"], &["a"]).await, &event.id, &webhook).await;
    assert_eq!((&ours["verdict"], &ours["rules_of_then"]), (&json!("waiting"), &json!(false)));
    assert!(!ours.to_string().contains("secret"), "{ours}");
}
