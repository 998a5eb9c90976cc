//! Why a webhook did, or did not, get an event.

use posthorn_tests::{
    App, Client, Data, Event, Receiver, always, api::text, event, eventually, eventually_is, ids,
};
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

#[tokio::test]
async fn an_event_too_costly_to_match_is_refused_by_explain_and_skipped_by_a_replay() {
    let app = App::with(&[("POSTHORN_MAX_MATCH_STEPS", "1000000")]).await;
    let receiver = Receiver::start(always(200)).await;
    let api = app.api().await;
    let admin = api.admin();
    let prefixes: Vec<_> = (0..100).map(|n| json!({ "prefix": format!("{n}-") })).collect();
    let wide = json!([{ "pattern": { "data": { "tags": prefixes } } }, { "event_types": ["todo.wanted"] }]);
    let webhook = admin.add(&receiver.url("/"), wide).await;
    let path = format!("/v1/webhooks/{}", text(&webhook, "id"));
    admin.act(&format!("{path}/pause")).await.expect(200);
    let _roles = app.start().await;
    let tagged = |kind: &str, tags: usize| {
        let data = json!({ "tags": vec!["7"; tags] }).to_string();
        Event { data: Some(Data::Json(data.into())), ..event(kind) }
    };
    // A paused webhook's patterns cost a router nothing.
    let (costly, cheap) = (tagged("todo.created", 20_000), tagged("todo.wanted", 1));
    app.publish_all(&[costly.clone(), cheap.clone()]).await;
    for event in [&costly, &cheap] {
        assert!(app.database.records_event(&event.id).await.webhook_ids.is_empty());
    }

    let explain_path = format!("/v1/events/{}/explain?webhook={}", costly.id, text(&webhook, "id"));
    let refused = admin.get(&explain_path).await.problem(409, "conflict");
    for part in ["POSTHORN_MAX_MATCH_STEPS", "\"data.tags\" holds 20000 values"] {
        assert!(text(&refused, "detail").contains(part), "{refused}");
    }
    admin.act(&format!("{path}/resume")).await.expect(200);
    let input = json!({ "since": "2026-01-01T00:00:00Z", "only": "missed", "dry_run": false });
    let replay = admin.post(&format!("{path}/replay"), &input).await.expect(202);
    let done =
        admin.shows(&format!("/v1/replays/{}", text(&replay, "id")), "/state", json!("finished")).await;
    assert_eq!((&done["found"], &done["published"]), (&json!(1), &json!(1)));
    eventually_is("replayed", ids([&cheap]), async || receiver.ids("/")).await;
}
