//! Replays: deliveries of a time made again, in the background.

use std::time::Duration;

use jiff::Timestamp;
use posthorn_domain::replay;
use posthorn_store::{Actor, NewReplay, Progress, Store};
use posthorn_tests::{
    App, Client, Event, Gate, Receiver, Reply, Request, always, api::text, event, eventually, ids,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// Publishes events until the webhook has missed this many, and returns those.
async fn missed(app: &App, count: usize) -> Vec<Event> {
    let mut missed = Vec::new();
    while missed.len() < count {
        let event = event("todo.created");
        app.publish(&event).await;
        if app.database.records_event(&event.id).await.webhook_ids.is_empty() {
            missed.push(event);
        }
    }
    missed
}

async fn replay(admin: &Client, webhook: &Value, only: &str, dry_run: bool) -> Value {
    let path = format!("/v1/webhooks/{}/replay", text(webhook, "id"));
    let input = json!({ "since": "2026-01-01T00:00:00Z", "only": only, "dry_run": dry_run });
    admin.post(&path, &input).await.expect(202)
}

async fn finished(admin: &Client, replay: &Value) -> Value {
    let path = format!("/v1/replays/{}", text(replay, "id"));
    admin.shows(&path, "/state", json!("finished")).await
}

#[tokio::test]
async fn what_was_missed_is_delivered_with_the_same_id() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let api = app.api().await;
    let admin = api.admin();
    let webhook = admin.add(&receiver.url("/"), json!([{ "event_types": ["todo.*"] }])).await;
    let act = async |verb: &str| {
        admin.act(&format!("/v1/webhooks/{}/{verb}", webhook["id"].as_str().unwrap())).await.expect(200)
    };
    let _roles = app.start().await;
    act("pause").await;
    let missed = missed(&app, 5).await;
    app.publish(&event("comment.created")).await;

    let dry = finished(&admin, &replay(&admin, &webhook, "missed", true).await).await;
    assert_eq!((&dry["found"], &dry["published"]), (&json!(5), &json!(0)));
    assert!(missed.iter().all(|event| receiver.of(&event.id).is_empty()), "a dry run delivers nothing");

    let path = format!("/v1/webhooks/{}/replay", webhook["id"].as_str().unwrap());
    let input = json!({ "since": "2026-01-01T00:00:00Z", "only": "missed" });
    admin.post(&path, &input).await.problem(409, "conflict");
    act("resume").await;
    let done = finished(&admin, &replay(&admin, &webhook, "missed", false).await).await;
    assert_eq!((&done["found"], &done["published"]), (&json!(5), &json!(5)));
    for event in &missed {
        assert_eq!(receiver.receives_of(&event.id, 1).await[0].attempt(), 1);
    }
    let listed =
        admin.all(&format!("/v1/webhooks/{}/replays?limit=1", webhook["id"].as_str().unwrap())).await;
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["id"], done["id"]);
}

#[tokio::test]
async fn what_failed_is_delivered_again_and_the_rest_is_not() {
    let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "300ms")]).await;
    let mended = Gate::closed();
    let opened = mended.clone();
    let script = move |request: &Request| match request.json()["type"].as_str() {
        Some("todo.bad") if !is_open(&opened) => Reply::status(500),
        _ => Reply::status(200),
    };
    let receiver = Receiver::start(script).await;
    let api = app.api().await;
    let admin = api.admin();
    let input = json!({ "url": receiver.url("/"), "rules": [{}], "disable_policy": "failing" });
    let webhook = admin.post("/v1/webhooks", &input).await.expect(201);
    let _roles = app.start().await;
    let (good, bad) = (event("todo.created"), event("todo.bad"));
    let id = webhook["id"].as_str().unwrap();
    for (event, state) in [(&good, "succeeded"), (&bad, "failed")] {
        app.publish(event).await;
        admin.shows(&format!("/v1/deliveries/{}/{id}", event.id), "/state", json!(state)).await;
        app.publish(&good).await;
    }
    admin.act(&format!("/v1/webhooks/{id}/enable")).await;
    mended.open();

    let done = finished(&admin, &replay(&admin, &webhook, "failed", false).await).await;
    assert_eq!((&done["found"], &done["published"]), (&json!(1), &json!(1)));
    admin.shows(&format!("/v1/deliveries/{}/{id}", bad.id), "/state", json!("succeeded")).await;
    let other = json!({ "since": "2026-01-01T00:00:00Z", "only": "all", "event_types": ["todo.b*"], "dry_run": true });
    let dry = admin.post(&format!("/v1/webhooks/{id}/replay"), &other).await.expect(202);
    assert_eq!(finished(&admin, &dry).await["found"], 1);
}

fn is_open(gate: &Gate) -> bool {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Waker},
    };
    pin!(gate.passed()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[tokio::test]
async fn a_replay_waits_behind_live_traffic_survives_a_crash_and_can_be_canceled() {
    let app = App::create().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let receiver = Receiver::start(move |_: &Request| Reply::status(200).when(&held)).await;
    let api = app.api().await;
    let admin = api.admin();
    let input = json!({ "url": receiver.url("/"), "rules": [{}], "max_in_flight": 1, "timeout_ms": 30000 });
    let webhook = admin.post("/v1/webhooks", &input).await.expect(201);
    let id = webhook["id"].as_str().unwrap();
    let recording = [app.start_role("router").await, app.start_role("recorder").await];
    admin.act(&format!("/v1/webhooks/{id}/pause")).await.expect(200);
    let missed = missed(&app, 60).await;
    admin.act(&format!("/v1/webhooks/{id}/resume")).await.expect(200);

    // Nobody delivers: the queue takes only a few.
    let begun = replay(&admin, &webhook, "missed", false).await;
    let path = format!("/v1/replays/{}", begun["id"].as_str().unwrap());
    admin.shows(&path, "/published", json!(20)).await;
    let at_20 = admin.get(&path).await.expect(200)["updated_at"].clone();
    eventually("it was looked at again", async || {
        (admin.get(&path).await.expect(200)["updated_at"] != at_20).then_some(())
    })
    .await;
    assert_eq!(admin.get(&path).await.expect(200)["published"], 20);
    assert_eq!(admin.get(&format!("/v1/webhooks/{id}")).await.expect(200)["waiting"], 20);
    api.process.kill().await;

    let api = app.api().await;
    let admin = api.admin();
    assert_eq!(admin.get(&path).await.expect(200)["state"], "running");
    let dispatcher = app.start_role("dispatcher").await;
    receiver.receives(1).await;
    gate.open();
    eventually("all arrive", async || {
        let accepted = receiver.accepted("/");
        ids(&missed).iter().all(|id| accepted.contains(id)).then_some(())
    })
    .await;
    let done = finished(&admin, &begun).await;
    assert_eq!((&done["found"], &done["published"]), (&json!(60), &json!(60)));
    let path = path + "/cancel";
    assert_eq!(admin.act(&path).await.expect(200)["state"], "finished");

    drop(dispatcher);
    let again = replay(&admin, &webhook, "all", false).await;
    let path = format!("/v1/replays/{}", again["id"].as_str().unwrap());
    admin.shows(&path, "/published", json!(20)).await;
    assert_eq!(admin.act(&format!("{path}/cancel")).await.expect(200)["state"], "canceled");
    let stopped = replay(&admin, &webhook, "all", false).await;
    let path = format!("/v1/replays/{}", stopped["id"].as_str().unwrap());
    admin.act(&format!("/v1/webhooks/{id}/disable")).await.expect(200);
    let stopped = admin.shows(&path, "/state", json!("stopped")).await;
    assert!(stopped["error"].as_str().unwrap().contains("disabled"), "{stopped}");
    drop(recording);
}

#[tokio::test]
async fn what_is_canceled_stays_so_whatever_is_under_way() {
    let app = App::create().await;
    let webhook = app.add_webhook("http://127.0.0.1:9/", &[]).await;
    let store = Store::new(&app.database.url, 2).expect("the URL is good");
    let asked = NewReplay {
        id: Uuid::now_v7(),
        webhook_id: webhook.id.parse().expect("it is an id"),
        since: Timestamp::UNIX_EPOCH,
        until: Timestamp::now(),
        event_types: None,
        kind: replay::Kind::All,
        dry_run: false,
        companies: None,
    };
    let (actor, process) = (Actor::command("a test"), Uuid::now_v7());
    store.background.add_replay(&asked, &actor).await.expect("it is added");
    let claimed = store.background.claim_replay(process, Duration::from_secs(30)).await.expect("it answers");
    assert_eq!(claimed.map(|replay| replay.asked.id), Some(asked.id));
    store.background.cancel_replay(asked.id, &actor).await.expect("it answers");
    let progress = Progress { ended: Some(Ok(())), ..Progress::default() };
    store.background.advance_replay(asked.id, process, &progress).await.expect("it answers");
    let replay = store.background.replay(asked.id).await.expect("it answers").expect("it is there");
    assert_eq!(replay.state, replay::State::Canceled);
}

#[tokio::test]
async fn all_that_is_wrong_with_a_replay_is_told_at_once() {
    let app = App::create().await;
    let api = app.api().await;
    let admin = api.admin();
    let webhook = admin.add("http://127.0.0.1:9/", json!([{}])).await;
    let path = format!("/v1/webhooks/{}/replay", webhook["id"].as_str().unwrap());
    let wrong = [("/since", "required"), ("/only", "required")];
    admin.post(&path, &json!({})).await.wrong(422, "invalid", &wrong);
    let bad = json!({
        "since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z", "only": "all",
        "event_types": ["todo.*", "to do"]
    });
    let wrong = [("/since", "contradiction"), ("/event_types/1", "bad_event_type")];
    admin.post(&path, &bad).await.wrong(422, "invalid", &wrong);
    admin.get("/v1/replays/rpl_nonsense").await.problem(404, "not-found");
    assert_eq!(app.database.count("SELECT count(*) FROM replays", &[]).await, 0);
}

#[tokio::test]
async fn a_replay_that_fails_for_another_reason_than_the_webhooks_absence_is_no_404() {
    let app = App::create().await;
    let api = app.api().await;
    let admin = api.admin();
    let webhook = admin.add("http://127.0.0.1:9/", json!([{}])).await;
    let begun = replay(&admin, &webhook, "missed", true).await;
    let path = format!("/v1/replays/{}", text(&begun, "id"));

    app.database.execute("ALTER TABLE webhooks RENAME TO out_of_reach", &[]).await;
    admin.get(&path).await.problem(503, "unavailable");
    app.database.execute("ALTER TABLE out_of_reach RENAME TO webhooks", &[]).await;
    admin.get(&path).await.expect(200);
}
