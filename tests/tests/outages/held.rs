//! What is held while the broker takes no messages.

use posthorn_tests::{App, Data, Event, Process, Servers, event, eventually, queues::journal_entries};

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
    eventually("it holds all events", async || {
        let queue = app.broker.queue(&app.name("router")).await?;
        let is_taken = queue.ready == 0 && queue.consumers == 1;
        (is_taken && memory(&router, "VmRSS:") > EVENTS * EVENT_BYTES).then_some(())
    })
    .await;
    servers.control(&["set_vm_memory_high_watermark", "0.4"]).await;
    let journal = app.name("journal");
    let mut journalled = 0;
    eventually("it has routed them all", async || {
        journalled += journal_entries(&app.broker.take_all(&journal).await);
        (journalled >= EVENTS as usize).then_some(())
    })
    .await;
    let (held, most) = (memory(&router, "VmHWM:"), EVENTS * EVENT_BYTES + UNDER_WAY + BESIDES);
    assert!(held < most, "{held} bytes were held, more than {most}");
}

/// Bytes of memory, in a field of the process's status: see proc_pid_status(5).
fn memory(process: &Process, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB") * 1024
}
