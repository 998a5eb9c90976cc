//! Who receives what.

use futures_util::{StreamExt, stream};
use posthorn_tests::{App, Event, Receiver, always, event, eventually_is, ids};
use serde_json::{Value, json};

type Wants = fn(&Event) -> bool;

#[tokio::test]
async fn a_webhook_receives_the_events_that_its_rule_names_and_no_others() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &["--event-types", "todo.*"]).await;
    let _roles = app.start().await;

    let (wanted, unwanted) = (event("todo.created"), event("comment.created"));
    app.publish_all(&[unwanted.clone(), wanted.clone()]).await;

    receiver.receives(1).await;
    assert_eq!(app.database.records_event(&wanted.id).await.webhook_ids.len(), 1);
    assert!(app.database.records_event(&unwanted.id).await.webhook_ids.is_empty());
    assert_eq!(receiver.ids("/"), [wanted.id]);
}

#[tokio::test]
async fn three_webhooks_receive_the_same_event() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let mut webhooks = Vec::new();
    for path in ["/a", "/b", "/c"] {
        webhooks.push(app.add_webhook(&receiver.url(path), &["--event-types", "todo.created"]).await);
    }
    app.add_webhook(&receiver.url("/other"), &["--event-types", "todo.moved"]).await;
    let _roles = app.start().await;

    let event = event("todo.created");
    app.publish(&event).await;

    let requests = receiver.receives(3).await;
    for webhook in &webhooks {
        let attempts = app.database.records_attempts(webhook, 1).await;
        assert_eq!((attempts.len(), attempts[0].outcome.as_str()), (1, "accepted"));
        assert_eq!(receiver.ids(webhook.path()), [event.id.as_str()]);
    }
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.body == requests[0].body));
    assert_eq!(app.database.records_event(&event.id).await.webhook_ids.len(), 3);
}

#[tokio::test]
async fn two_hundred_webhooks_receive_what_each_of_them_wants() {
    let app = App::with(&[("POSTHORN_QUEUE_TYPE", "classic")]).await;
    let receiver = Receiver::start(always(200)).await;
    let add = |number: usize| {
        let (app, url) = (&app, receiver.url(&format!("/{number}")));
        let types = format!("batch.part{},batch.all", number % 10);
        async move { app.add_webhook(&url, &["--event-types", &types]).await }
    };
    let webhooks: Vec<_> = stream::iter(0..200).map(add).buffered(4).collect().await;
    let _roles = app.start().await;

    let all = event("batch.all");
    let parts: Vec<_> = (0..10).map(|part| event(&format!("batch.part{part}"))).collect();
    app.publish(&all).await;
    app.publish_all(&parts).await;

    receiver.receives(400).await;
    assert_eq!(app.database.records_event(&all.id).await.webhook_ids.len(), 200);
    for (number, webhook) in webhooks.iter().enumerate() {
        assert_eq!(receiver.ids(webhook.path()), ids([&all, &parts[number % 10]]));
    }
}

#[tokio::test]
async fn rules_cross_types_companies_and_projects_and_several_rules_deliver_once() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let mut webhooks = Vec::new();
    for (number, (rules, wants)) in rules().into_iter().enumerate() {
        let webhook = app.add_webhook_with_rules(&receiver.url(&format!("/{number}")), &rules).await;
        webhooks.push((webhook, rules, wants));
    }
    let _roles = app.start().await;

    let events = every_kind_of_event();
    app.publish_all(&events).await;

    for (webhook, rules, wants) in &webhooks {
        let expected = ids(events.iter().filter(|event| wants(event)));
        eventually_is(&rules.to_string(), expected, async || receiver.ids(webhook.path())).await;
    }
    let wanted = webhooks.iter().flat_map(|(_, _, wants)| events.iter().filter(|event| wants(event)));
    assert_eq!(receiver.count(), wanted.count());
}

fn every_kind_of_event() -> Vec<Event> {
    let mut events = Vec::new();
    for event_type in ["todo.created", "todo.moved", "comment.created", "todo"] {
        for company in ["c1", "c2"] {
            for project in ["p1", "p2", ""] {
                let (company_id, project_id) = (company.to_owned(), project.to_owned());
                events.push(Event { company_id, project_id, ..event(event_type) });
            }
        }
    }
    events
}

fn rules() -> Vec<(Value, Wants)> {
    vec![
        (json!([{}]), |_| true),
        (json!([{ "event_types": ["*"] }]), |_| true),
        (json!([{ "event_types": ["todo.*"] }]), |event| event.r#type.starts_with("todo.")),
        (json!([{ "event_types": ["*.created"] }]), |event| event.r#type.ends_with(".created")),
        (json!([{ "event_types": ["todo"] }]), |event| event.r#type == "todo"),
        (json!([{ "companies": ["c1"] }]), |event| event.company_id == "c1"),
        (json!([{ "projects": ["p1"] }]), |event| event.project_id == "p1"),
        (json!([{ "companies": ["c1", "c2"], "projects": ["p1", "p2"] }]), |event| {
            !event.project_id.is_empty()
        }),
        (json!([{ "companies": ["c2"], "projects": ["p2"], "event_types": ["todo.moved"] }]), |event| {
            event.company_id == "c2" && event.project_id == "p2" && event.r#type == "todo.moved"
        }),
        (json!([{ "except_projects": ["p1"] }]), |event| event.project_id != "p1"),
        (json!([{ "event_types": ["todo.*"], "except_event_types": ["*.moved"] }]), |event| {
            event.r#type == "todo.created"
        }),
        (
            json!([
                { "companies": ["c1"], "event_types": ["todo.*"] },
                { "companies": ["c1"], "projects": ["p1"] },
                { "event_types": ["todo.created"] },
            ]),
            |event| {
                let todo = event.r#type.starts_with("todo.");
                (event.company_id == "c1" && (todo || event.project_id == "p1"))
                    || event.r#type == "todo.created"
            },
        ),
    ]
}
