//! What the recorder tidies up: old partitions, and what deleted webhooks leave behind.

use posthorn_tests::{App, Receiver, always, event, eventually, eventually_is, statuses};

#[tokio::test]
async fn partitions_are_made_ahead_and_dropped_after_the_retention() {
    let app = App::with(&[("POSTHORN_RETENTION", "10d")]).await;
    app.database
        .script(
            "CREATE TABLE attempts_20200101 PARTITION OF attempts FOR VALUES FROM ('2020-01-01') TO ('2020-01-02');
             CREATE TABLE events_20200101 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')",
        )
        .await;
    let _recorder = app.start_role("recorder").await;

    let old = "SELECT count(*) FROM pg_tables WHERE tablename LIKE '%\\_20200101'";
    eventually_is("old partitions", 0, async || app.database.count(old, &[]).await).await;
    let ahead = "SELECT count(*) FROM pg_tables
                 WHERE tablename = ANY (ARRAY['events', 'event_conflicts', 'attempts', 'rejected_events',
                                              'dropped_deliveries', 'statistics_minutes'])
                    OR tablename LIKE '%\\_' || to_char((now() AT TIME ZONE 'UTC')::date + 2, 'YYYYMMDD')";
    assert_eq!(app.database.count(ahead, &[]).await, 12, "six tables, and a partition of each in two days");
}

#[tokio::test]
async fn the_queue_of_a_removed_webhook_goes_after_the_grace() {
    let app = App::with(&[("POSTHORN_DELETION_GRACE", "0s")]).await;
    let receiver = Receiver::start(always(200)).await;
    let removed = app.add_webhook(&receiver.url("/removed"), &[]).await;
    let kept = app.add_webhook(&receiver.url("/kept"), &[]).await;
    let _others = (app.start_role("router").await, app.start_role("dispatcher").await);
    app.is_served_by(&removed, 1).await;
    app.webhook("remove", &removed).await;
    app.is_let_go(&removed).await;

    let _recorder = app.start_role("recorder").await;

    let queue = app.queue(&removed);
    eventually("the queue is gone", async || app.broker.queue(&queue).await.is_none().then_some(())).await;
    let rows = "SELECT count(*) FROM webhooks";
    eventually_is("webhooks", 1, async || app.database.count(rows, &[]).await).await;
    let event = event("todo.created");
    app.publish(&event).await;
    receiver.receives_of(&event.id, 1).await;
    assert!(app.broker.queue(&app.queue(&kept)).await.is_some());
    assert!(receiver.to("/removed").is_empty());
}

#[tokio::test]
async fn a_retry_that_returns_to_a_removed_webhook_is_dropped_and_recorded() {
    let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "2s")]).await;
    let receiver = Receiver::start(statuses([503])).await;
    let removed = app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;
    let event = event("todo.created");
    app.publish(&event).await;
    eventually_is("waiting retries", 1, async || app.retrying().await).await;

    app.webhook("remove", &removed).await;
    app.is_let_go(&removed).await;
    app.broker.delete_queue(&app.queue(&removed)).await;

    let dropped = "SELECT count(*) FROM dropped_deliveries WHERE company_id = 'c1' AND event_id = $1";
    eventually_is("dropped", 1, async || app.database.count(dropped, &[&event.id]).await).await;
    assert_eq!(receiver.count(), 1);
    assert!(app.broker.queue(&app.queue(&removed)).await.is_none(), "nobody declared the queue again");
}
