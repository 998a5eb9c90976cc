//! The journal on its way into Postgres: nothing twice, nothing that stops the rest.

use posthorn_tests::{
    App, Receiver, broker::identified, event, eventually_is, ids, queues::journal_entries, statuses,
};

#[tokio::test]
async fn the_same_batches_twice_change_nothing() {
    let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "200ms")]).await;
    let receiver = Receiver::start(statuses([500])).await;
    let failing = app.add_webhook(&receiver.url("/failing"), &["--event-types", "todo.created"]).await;
    let _others = (app.start_role("router").await, app.start_role("dispatcher").await);
    let events = [(); 10].map(|()| event("todo.created"));
    app.publish_all(&events).await;
    receiver.receives(20).await;
    eventually_is("waiting deliveries", Some(0), async || app.waiting(&failing).await).await;

    let journal = app.name("journal");
    let mut batches = Vec::new();
    eventually_is("journalled", true, async || {
        batches.extend(app.broker.take_all(&journal).await);
        batches.iter().map(Vec::len).sum::<usize>() > 0 && journal_entries(&batches) == 30
    })
    .await;
    for batch in batches.iter().chain(&batches) {
        app.broker.publish("", &journal, identified(""), batch).await;
    }
    let _recorder = app.start_role("recorder").await;
    let last = event("user.created");
    app.publish(&last).await;
    app.database.records_event(&last.id).await;

    let attempts = app.database.records_attempts(&failing, 20).await;
    let disabling = attempts.iter().filter(|attempt| attempt.step == "disable").count();
    assert_eq!((attempts.len(), disabling), (20, 1));
    for id in ids(&events) {
        assert_eq!(app.database.stored_events(&id).await.len(), 1);
    }
    let shown = app.webhook("show", &failing).await;
    assert_eq!((&shown["state"], &shown["epoch"]), (&"disabled".into(), &1.into()));

    app.webhook("enable", &failing).await;
    for batch in &batches {
        app.broker.publish("", &journal, identified(""), batch).await;
    }
    let probe = event("user.created");
    app.publish(&probe).await;
    app.database.records_event(&probe.id).await;
    let shown = app.webhook("show", &failing).await;
    assert_ne!(
        shown["disabled"]["at"], shown["updated_at"],
        "what happened in an earlier epoch disables nobody"
    );
    assert_eq!(shown["epoch"], 2);
}

#[tokio::test]
async fn what_is_no_journal_batch_is_kept_and_the_rest_goes_on() {
    let app = App::create().await;
    let _roles = app.start().await;
    app.broker.publish("", &app.name("journal"), identified(""), b"\xff not a batch").await;
    let after = event("todo.created");
    app.publish(&after).await;

    app.database.records_event(&after.id).await;
    let rejected = app.database.rejected_events().await;
    assert_eq!((rejected.len(), rejected[0].field.as_str()), (1, "journal"));
    assert_eq!(rejected[0].message, b"\xff not a batch");
}
