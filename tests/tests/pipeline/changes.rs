//! Webhooks that are added, changed, paused and removed while events flow.

use posthorn_tests::{
    App, Event, Gate, IN_FORCE, Load, Receiver, Reply, Webhook, always, event, eventually, eventually_is,
    ids, within,
};
use serde_json::json;

#[tokio::test]
async fn an_added_webhook_receives_events_within_a_second_or_so() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let _roles = app.start().await;
    app.publish(&event("todo.created")).await;

    app.add_webhook(&receiver.url("/"), &["--event-types", "todo.*"]).await;

    arrives_in_time(&app, &receiver, "todo.probe").await;
    let events = [(); 50].map(|()| event("todo.created"));
    app.publish_all(&events).await;
    eventually_is("arrived", ids(&events), async || arrived(&receiver, "todo.created")).await;
}

#[tokio::test]
async fn changed_rules_are_in_force_within_a_second_or_so() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &["--event-types", "old.*"]).await;
    let _roles = app.start().await;
    arrives_in_time(&app, &receiver, "old.probe").await;

    let rules = json!([{ "event_types": ["new.*"] }]).to_string();
    update(&app, &webhook, "rules = $2::text::jsonb", &rules).await;

    arrives_in_time(&app, &receiver, "new.probe").await;
    let (old, new) = (event("old.created"), event("new.created"));
    app.publish_all(&[old.clone(), new.clone()]).await;
    receiver.receives_of(&new.id, 1).await;
    assert!(app.database.records_event(&old.id).await.webhook_ids.is_empty());
    assert!(receiver.of(&old.id).is_empty());
}

#[tokio::test]
async fn a_changed_url_is_in_force_within_a_second_or_so() {
    let app = App::create().await;
    let (before, after) = (Receiver::start(always(200)).await, Receiver::start(always(200)).await);
    let webhook = app.add_webhook(&before.url("/"), &[]).await;
    let _roles = app.start().await;
    arrives_in_time(&app, &before, "todo.probe").await;

    update(&app, &webhook, "url = $2", &after.url("/")).await;

    arrives_in_time(&app, &after, "todo.probe").await;
    let events = [(); 50].map(|()| event("todo.created"));
    app.publish_all(&events).await;
    eventually_is("arrived", ids(&events), async || arrived(&after, "todo.created")).await;
    assert!(arrived(&before, "todo.created").is_empty());
}

#[tokio::test]
async fn what_waits_for_its_turn_goes_to_the_changed_url() {
    let app = App::create().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let before = Receiver::start(move |_| Reply::status(200).when(&held)).await;
    let after = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&before.url("/"), &["--max-in-flight", "1"]).await;
    let probe = app.add_webhook(&before.url("/probe"), &["--event-types", "todo.probe"]).await;
    let _roles = app.start().await;
    let events = [(); 2].map(|()| event("todo.created"));
    app.publish_all(&events).await;
    eventually_is("attempts", 1, async || before.to("/").len()).await;
    eventually_is("waiting deliveries", Some(0), async || app.waiting(&webhook).await).await;

    update(&app, &webhook, "url = $2", &after.url("/")).await;
    update(&app, &probe, "url = $2", &after.url("/probe")).await;
    // Changes are taken in in their order: once the probe's is in force, so is the webhook's.
    arrives_in_time(&app, &after, "todo.probe").await;
    gate.open();

    eventually_is("arrived after the change", 1, async || arrived(&after, "todo.created").len()).await;
    assert_eq!(arrived(&before, "todo.created").len(), 1);
}

#[tokio::test]
async fn a_webhook_that_is_given_more_attempts_at_a_time_gets_them_at_once() {
    let app = App::create().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let receiver = Receiver::start(move |_| Reply::status(200).when(&held)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &["--max-in-flight", "1", "--timeout", "30s"]).await;
    let _roles = app.start().await;
    let events = [(); 20].map(|()| event("todo.created"));
    app.publish_all(&events).await;
    eventually_is("attempts", 1, async || receiver.pending()).await;
    eventually("all others wait", async || (app.waiting(&webhook).await >= Some(15)).then_some(())).await;
    assert_eq!(receiver.pending(), 1);

    update(&app, &webhook, "max_in_flight = $2::text::integer", &"5".to_owned()).await;

    eventually("more attempts", async || (receiver.pending() >= 5).then_some(())).await;
    gate.open();
    eventually_is("arrived", ids(&events), async || receiver.ids("/")).await;
}

#[tokio::test]
async fn a_paused_webhook_keeps_its_backlog_until_it_is_resumed() {
    let app = App::create().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let receiver = Receiver::start(move |request| match request.path.as_str() {
        "/paused" => Reply::status(200).when(&held),
        _ => Reply::status(200),
    })
    .await;
    let paused = app.add_webhook(&receiver.url("/paused"), &["--max-in-flight", "1"]).await;
    app.add_webhook(&receiver.url("/other"), &[]).await;
    let _roles = app.start().await;
    let backlog = [(); 5].map(|()| event("todo.created"));
    app.publish_all(&backlog).await;
    // One is being attempted, and two are held for when that is done.
    eventually_is("waiting deliveries", Some(2), async || app.waiting(&paused).await).await;
    eventually_is("attempts", 1, async || receiver.to("/paused").len()).await;

    assert_eq!(app.webhook("pause", &paused).await["state"], "paused");
    gate.open();
    app.is_let_go(&paused).await;
    let begun = receiver.to("/paused").len();
    let (routed, missed) = app.misses(&paused).await;
    receiver.receives_of(&missed.id, 1).await;
    assert_eq!(receiver.to("/paused").len(), begun, "no attempt for a paused webhook");
    let waiting = (5 - begun + routed.len()) as u64;
    eventually_is("waiting deliveries", Some(waiting), async || app.waiting(&paused).await).await;

    assert_eq!(app.webhook("resume", &paused).await["state"], "healthy");
    let mut expected = [ids(&backlog), routed].concat();
    expected.sort();
    eventually_is("arrived", expected, async || receiver.ids("/paused")).await;
    assert!(receiver.to("/paused").iter().all(|request| request.attempt() == 1));
}

#[tokio::test]
async fn a_webhook_disabled_by_the_operator_gets_nothing_until_it_is_enabled() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/disabled"), &[]).await;
    app.add_webhook(&receiver.url("/other"), &[]).await;
    let _roles = app.start().await;

    let disabled = app.webhook("disable", &webhook).await;
    assert_eq!(
        (&disabled["state"], &disabled["disabled"]["reason"]),
        (&"disabled".into(), &"operator".into())
    );
    app.is_let_go(&webhook).await;
    let (routed, missed) = app.misses(&webhook).await;
    receiver.receives_of(&missed.id, 1).await;
    eventually_is("waiting deliveries", Some(routed.len() as u64), async || app.waiting(&webhook).await)
        .await;
    assert!(receiver.to("/disabled").is_empty());

    let enabled = app.webhook("enable", &webhook).await;
    assert_eq!((&enabled["state"], &enabled["epoch"]), (&"healthy".into(), &2.into()));
    eventually("events arrive again", async || {
        app.publish(&event("todo.created")).await;
        (!receiver.to("/disabled").is_empty()).then_some(())
    })
    .await;
    assert!(!receiver.ids("/disabled").contains(&missed.id));
}

#[tokio::test]
async fn a_webhook_with_unreadable_rules_stays_as_it_was_and_can_be_paused() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;
    app.is_served_by(&webhook, 1).await;

    app.database.script(r#"UPDATE webhooks SET rules = '[{"colour": "red"}]'"#).await;
    let event = event("todo.created");
    app.publish(&event).await;
    receiver.receives_of(&event.id, 1).await;

    app.database.script("UPDATE webhooks SET state = 'paused'").await;
    app.is_let_go(&webhook).await;
}

#[tokio::test]
async fn a_removed_webhook_gets_nothing_more_while_the_others_go_on() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let removed = app.add_webhook(&receiver.url("/removed"), &[]).await;
    let kept = app.add_webhook(&receiver.url("/kept"), &[]).await;
    let _roles = app.start().await;
    let load = Load::start(&app, 50, 5_000).await;
    eventually("both receive", async || (receiver.to("/removed").len() > 20).then_some(())).await;

    app.webhook("remove", &removed).await;

    app.is_let_go(&removed).await;
    let (routed, missed) = app.misses(&removed).await;
    let (had, kept_had) = (receiver.to("/removed").len(), receiver.to("/kept").len());
    eventually("the other goes on", async || (receiver.to("/kept").len() > kept_had + 50).then_some(()))
        .await;
    assert_eq!(receiver.to("/removed").len(), had);
    let mut published = [load.stop().await, routed, vec![missed.id]].concat();
    published.sort();
    eventually_is("arrived", published, async || receiver.ids("/kept")).await;
    let listed = app.run(&["webhook", "list", "--json"]).await.json();
    let listed: Vec<_> = listed.as_array().unwrap().iter().map(|webhook| &webhook["id"]).collect();
    assert_eq!(listed, [kept.id.as_str()]);
}

#[tokio::test]
async fn routing_goes_on_and_changes_arrive_after_the_database_sessions_were_cut() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/old"), &["--event-types", "old.*"]).await;
    let _roles = app.start().await;

    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(app.database.query(others, &[]).await.len() >= 3, "every role has a session");
    let events = [(); 20].map(|()| event("old.created"));
    app.publish_all(&events).await;
    eventually_is("arrived", ids(&events), async || receiver.ids("/old")).await;

    app.add_webhook(&receiver.url("/new"), &["--event-types", "new.*"]).await;
    eventually("new.probe arrives", async || {
        app.publish(&event("new.probe")).await;
        (!arrived(&receiver, "new.probe").is_empty()).then_some(())
    })
    .await;
    for event in &events {
        app.database.records_event(&event.id).await;
    }
}

/// Publishes events of this type until one arrives, for as long as a change may take.
async fn arrives_in_time(app: &App, receiver: &Receiver, event_type: &str) {
    let what = format!("{event_type} arrives");
    within(IN_FORCE, &what, async || {
        app.publish(&event(event_type)).await;
        (!arrived(receiver, event_type).is_empty()).then_some(())
    })
    .await;
}

/// The ids of the events of this type that have arrived, sorted.
fn arrived(receiver: &Receiver, event_type: &str) -> Vec<String> {
    let requests = receiver.requests();
    let events = requests.iter().filter(|request| request.json()["type"] == event_type);
    let events: Vec<_> =
        events.map(|request| Event { id: request.id().to_owned(), ..Event::default() }).collect();
    ids(&events)
}

async fn update(app: &App, webhook: &Webhook, assignment: &str, value: &String) {
    let sql = format!("UPDATE webhooks SET {assignment} WHERE id = $1");
    app.database.execute(&sql, &[&posthorn_tests::database::uuid_of(&webhook.id), value]).await;
}
