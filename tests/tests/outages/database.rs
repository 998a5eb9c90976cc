//! Postgres goes away and comes back.

use std::collections::BTreeSet;

use posthorn_tests::{App, Ledger, Load, Receiver, Reply, Servers, event, eventually};

const AWAY_SECONDS: usize = 20;
const PER_SECOND: u32 = 50;

#[tokio::test]
async fn with_postgres_away_for_twenty_seconds_deliveries_go_on_and_nothing_is_lost() {
    let servers = Servers::private().await;
    let app = App::on(&servers, &[]).await;
    let receiver = Receiver::start(|request| {
        let fails = request.json()["type"] == "retried.once" && request.attempt() == 1;
        Reply::status(if fails { 503 } else { 200 })
    })
    .await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let mut roles = app.start().await;
    let load = Load::start(&app, PER_SECOND, 100_000).await;
    receiver.receives(100).await;

    servers.stop_postgres().await;

    let confirmed = load.confirmed();
    let retried = event("retried.once");
    app.publish(&retried).await;
    receiver.receives_of(&retried.id, 2).await;
    load.reaches(confirmed + AWAY_SECONDS * PER_SECOND as usize).await;
    let so_far = load.confirmed_ids();
    eventually("all of them arrive while Postgres is away", async || {
        let received: BTreeSet<_> = receiver.ids("/").into_iter().collect();
        so_far.iter().all(|id| received.contains(id)).then_some(())
    })
    .await;

    servers.start_postgres().await;

    let published = &load.stop().await;
    let webhooks = [webhook];
    Ledger { app: &app, receiver: &receiver, webhooks: &webhooks, published }.settles().await;
    let attempts = app.database.attempts(&webhooks[0]).await;
    let of_retried: Vec<_> = attempts
        .iter()
        .filter(|attempt| attempt.event_id == retried.id)
        .map(|attempt| attempt.attempt)
        .collect();
    assert_eq!(of_retried, [1, 2]);
    for process in [&mut roles.router, &mut roles.dispatcher, &mut roles.recorder] {
        process.ready().await;
    }
    let added = app.add_webhook(&receiver.url("/added"), &["--event-types", "after.*"]).await;
    app.is_served_by(&added, 1).await;
}
