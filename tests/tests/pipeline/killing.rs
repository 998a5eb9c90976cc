//! kill -9: nothing is lost, and no more is repeated than was in flight.

use posthorn_tests::{App, Ledger, Load, Receiver, always};

const EVENTS: usize = 900;
const PER_SECOND: u32 = 150;
const WEBHOOKS: usize = 2;
const MAX_IN_FLIGHT: usize = 16;
/// How many events a router may hold unacknowledged, at this rate far more than it needs.
const ROUTER_IN_FLIGHT: usize = 128;
/// How many deliveries of batches a dispatcher may hold.
const DISPATCHER_HELD: usize = 64;

#[tokio::test]
async fn a_killed_router_loses_nothing_and_repeats_what_was_in_flight() {
    let repeated = killed_under_load("router").await;
    assert!(repeated <= KILLS.len() * ROUTER_IN_FLIGHT * WEBHOOKS, "{repeated} repeated");
}

#[tokio::test]
async fn a_killed_dispatcher_loses_nothing_and_repeats_what_was_in_flight() {
    let repeated = killed_under_load("dispatcher").await;
    let held = DISPATCHER_HELD + 2 * MAX_IN_FLIGHT * WEBHOOKS;
    assert!(repeated <= KILLS.len() * held, "{repeated} repeated");
}

#[tokio::test]
async fn a_killed_recorder_loses_nothing_and_repeats_nothing() {
    assert_eq!(killed_under_load("recorder").await, 0);
}

/// After how many requests the role is killed.
const KILLS: [usize; 3] = [EVENTS / 3, EVENTS, EVENTS * 3 / 2];

/// Kills the role several times, starting another each time, and returns how many requests were
/// repeated.
async fn killed_under_load(role: &str) -> usize {
    let held = DISPATCHER_HELD.to_string();
    let app = App::with(&[("POSTHORN_DISPATCHER_PREFETCH", &held)]).await;
    let receiver = Receiver::start(always(200)).await;
    let options = ["--event-types", "load.*", "--max-in-flight", &MAX_IN_FLIGHT.to_string()];
    let mut webhooks = Vec::new();
    for number in 0..WEBHOOKS {
        webhooks.push(app.add_webhook(&receiver.url(&format!("/{number}")), &options).await);
    }
    let mut others = Vec::new();
    for other in ["router", "dispatcher", "recorder"] {
        if other != role {
            others.push(app.start_role(other).await);
        }
    }
    let mut process = app.start_role(role).await;
    let load = Load::start(&app, PER_SECOND, EVENTS).await;
    for kill_at in KILLS {
        receiver.receives(kill_at).await;
        process.kill().await;
        process = app.spawn(&[role]);
    }
    process.ready().await;

    let published = &load.finish().await;
    let ledger = Ledger { app: &app, receiver: &receiver, webhooks: &webhooks, published };
    match role {
        // Of what a recorder had written and not acknowledged, the next writes nothing twice.
        "recorder" => ledger.settles_exactly_once().await,
        _ => ledger.drains().await,
    }
    ledger.settles().await
}
