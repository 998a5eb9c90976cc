//! Start, health and metrics of the roles.

use posthorn_tests::{App, Receiver, Servers, always, event, eventually, metrics};

const ROLES: [&str; 3] = ["router", "dispatcher", "recorder"];

#[tokio::test]
async fn roles_started_before_the_migrations_wait_for_them_and_say_so() {
    let app = App::unmigrated(&Servers::shared(), &[]).await;
    let mut processes = ROLES.map(|role| app.spawn(&[role]));
    for process in &mut processes {
        eventually("the readiness names the migrations", async || {
            let (status, readiness) = process.readiness().await;
            let missing = readiness["missing"].to_string().to_lowercase();
            (status == 503 && readiness["ready"] == false && missing.contains("posthorn migrate"))
                .then_some(())
        })
        .await;
        assert_eq!(process.page("/livez").await.0, 200);
    }

    app.run(&["migrate"]).await.success();

    for process in &mut processes {
        process.ready().await;
    }
}

#[tokio::test]
async fn five_migrations_at_once_are_safe_and_a_further_one_changes_nothing() {
    let app = App::unmigrated(&Servers::shared(), &[]).await;
    let migrate = ["migrate"];
    let runs = [(); 5].map(|()| app.run(&migrate));
    for answer in futures_util::future::join_all(runs).await {
        answer.success();
    }
    app.add_webhook("http://127.0.0.1:9/", &[]).await;
    app.run(&migrate).await.success();
    assert_eq!(app.database.webhook_ids().await.len(), 1);
}

#[tokio::test]
async fn tables_of_another_version_are_left_alone_and_told_of() {
    let app = App::create().await;
    app.database.execute("UPDATE refinery_schema_history SET name = 'pipeline' WHERE version = 1", &[]).await;

    let answer = app.run(&["migrate"]).await;

    assert!(answer.failure().contains("another version of Posthorn has made the tables"));
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &["--event-types", "todo.*"]).await;
    let mut roles = app.start().await;

    app.publish_all(&["todo.created", "todo.moved", "comment.created"].map(event)).await;
    app.database.records_attempts(&webhook, 2).await;

    let received = metrics::parse(&roles.router.page("/metrics").await.1);
    assert_eq!(received["posthorn_events_received_total"], 3.0, "{received:?}");
    let attempted = metrics::parse(&roles.dispatcher.page("/metrics").await.1);
    assert_eq!(attempted["posthorn_attempts_total"], 2.0, "{attempted:?}");
    let recorded = metrics::parse(&roles.recorder.page("/metrics").await.1);
    assert!(recorded.keys().any(|name| name.starts_with("posthorn_")), "{recorded:?}");
}

#[tokio::test]
async fn one_process_may_have_all_roles() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let mut all = app.start_role("all").await;

    let event = event("todo.created");
    app.publish(&event).await;

    assert_eq!(app.database.records_attempts(&webhook, 1).await[0].event_id, event.id);
    let counted = metrics::parse(&all.page("/metrics").await.1);
    assert_eq!(counted["posthorn_events_received_total"], 1.0);
    assert_eq!(counted["posthorn_attempts_total"], 1.0);
    all.stop().await;
}

#[tokio::test]
async fn a_bad_setting_ends_the_start_with_its_name() {
    for (setting, value) in [
        ("POSTHORN_RETRY_SCHEDULE", "soon"),
        ("POSTHORN_SECRET_KEYS", "no-key"),
        ("POSTHORN_ALLOW_NETWORKS", "127.0.0.1/99"),
        ("POSTHORN_MAX_EVENT_BYTES", "many"),
        ("POSTHORN_QUEUE_TYPE", "stream"),
    ] {
        let mut app = App::unmigrated(&Servers::shared(), &[]).await;
        app.settings.insert(setting.to_owned(), value.to_owned());
        let stderr = app.run(&["all"]).await.failure();
        let flag = setting.replace("POSTHORN_", "--").replace('_', "-").to_lowercase();
        assert!(stderr.contains(setting) || stderr.contains(&flag), "{setting}: {stderr}");
    }
}

#[tokio::test]
async fn a_dispatcher_without_secret_keys_says_what_to_set() {
    let mut app = App::create().await;
    app.settings.remove("POSTHORN_SECRET_KEYS");
    let stderr = app.run(&["dispatcher"]).await.failure();
    assert!(stderr.contains("POSTHORN_SECRET_KEYS") || stderr.contains("--secret-keys"), "{stderr}");
}
