//! What is held while the broker takes no messages.

use posthorn_tests::{App, Data, Event, Process, Servers, event, eventually};

const EVENTS: u64 = 300;
const EVENT_BYTES: u64 = 1_000_000;
/// What a role holds besides events, and what may be under way to the broker (docs/operations.md, Sizing).
const BESIDES: u64 = 50 << 20;
const UNDER_WAY: u64 = 4 * (32 << 20);

#[tokio::test]
async fn a_router_holds_little_more_than_its_events_while_the_broker_is_blocked() {
    let servers = Servers::private().await;
    let app = App::on(&servers, &[]).await;
    app.start_role("router").await.stop().await;
    let data = format!("{{\"text\":\"{}\"}}", "x".repeat(EVENT_BYTES as usize));
    for _ in 0..EVENTS {
        app.publish(&Event { data: Some(Data::Json(data.clone().into())), ..event("todo.created") }).await;
    }
    servers.control(&["set_vm_memory_high_watermark", "absolute", "1MB"]).await;

    let router = app.spawn(&["router"]);
    eventually("all are in flight", async || {
        let queue = app.broker.queue(&app.name("router")).await?;
        (queue.ready == 0 && queue.consumers == 1).then_some(())
    })
    .await;
    let (mut last, mut still) = (0, 0);
    let held = eventually("it holds all events and takes nothing more", async || {
        let now = resident(&router);
        let is_still = now > EVENTS * EVENT_BYTES && now.abs_diff(last) < 1 << 20;
        (last, still) = (now, if is_still { still + 1 } else { 0 });
        (still >= 20).then_some(now)
    })
    .await;
    let most = EVENTS * EVENT_BYTES + UNDER_WAY + BESIDES;
    assert!(held < most, "{held} bytes are held, more than {most}");
}

/// Bytes of memory that the process uses.
fn resident(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB") * 1024
}
