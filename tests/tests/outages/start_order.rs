//! Roles are there before their servers.

use posthorn_tests::{App, Process, Receiver, Servers, always, event, eventually};

#[tokio::test]
async fn roles_started_before_their_servers_wait_and_say_what_for() {
    let servers = Servers::private().await;
    let app = App::unmigrated(&servers, &[]).await;
    servers.stop_broker().await;
    servers.stop_postgres().await;

    let mut processes = ["router", "dispatcher", "recorder"].map(|role| app.spawn(&[role]));
    for process in &mut processes {
        misses(process, &["postgres", "rabbitmq"]).await;
        assert_eq!(process.page("/livez").await.0, 200);
    }
    servers.start_postgres().await;
    app.run(&["migrate"]).await.success();
    for process in &mut processes {
        misses(process, &["rabbitmq"]).await;
    }
    servers.start_broker().await;
    for process in &mut processes {
        process.ready().await;
    }

    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    app.is_served_by(&webhook, 1).await;
    app.publish(&event("todo.created")).await;
    receiver.receives(1).await;
    app.database.records_attempts(&webhook, 1).await;
}

/// Waits until `/readyz` names one of the servers and nothing else.
async fn misses(process: &mut Process, servers: &[&str]) {
    eventually(&format!("one of {servers:?} is missing"), async || {
        let (status, readiness) = process.readiness().await;
        let missing = readiness["missing"].to_string().to_lowercase();
        let named = servers.iter().any(|server| missing.contains(server));
        let others =
            ["postgres", "rabbitmq"].iter().any(|name| !servers.contains(name) && missing.contains(name));
        (status == 503 && named && !others).then_some(())
    })
    .await;
}
