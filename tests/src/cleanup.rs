//! What is left to do when a test is over, whether it passed or not.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{broker::Broker, database::Database};

const LAST_LINES: usize = 60;

/// Prints the end of each process's log.
pub fn show_logs(folder: &Path) {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let logs: BTreeSet<_> = files.filter(|path| path.extension().is_some_and(|kind| kind == "log")).collect();
    for path in logs {
        let log = fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        eprintln!("---- {} (last of {} lines)", path.display(), lines.len());
        lines[lines.len().saturating_sub(LAST_LINES)..].iter().for_each(|line| eprintln!("{line}"));
    }
}

/// The delays of all retry queues of a schedule, in milliseconds: each has three variants.
pub fn retry_delays(schedule: &str) -> BTreeSet<u64> {
    let delays = schedule.split(',').filter_map(milliseconds);
    delays.flat_map(|delay| [delay * 9 / 10, delay, delay * 11 / 10]).collect()
}

fn milliseconds(delay: &str) -> Option<u64> {
    let delay = delay.trim();
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    units.iter().find_map(|(unit, factor)| Some(delay.strip_suffix(unit)?.parse::<u64>().ok()? * factor))
}

/// Deletes the queues and exchanges of the prefix, then the database. Blocks until it is done.
pub fn clean(amqp_url: &str, database: &Database, prefix: &str, delays: &BTreeSet<u64>) {
    let cleaning = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime can be built").block_on(async {
                    delete_topology(amqp_url, database, prefix, delays).await;
                    database.drop_it().await;
                });
            })
            .join()
    });
    if cleaning.is_err() {
        eprintln!("note: could not clean up {prefix}");
    }
}

async fn delete_topology(amqp_url: &str, database: &Database, prefix: &str, delays: &BTreeSet<u64>) {
    let broker = Broker::new(amqp_url);
    for webhook in database.reopened().webhook_ids().await {
        broker.delete_queue(&format!("{prefix}.webhook.{webhook}")).await;
    }
    for delay in delays {
        broker.delete_queue(&format!("{prefix}.retry.{delay}")).await;
        broker.delete_exchange(&format!("{prefix}.retry.{delay}")).await;
    }
    for queue in ["router", "batches", "orphans", "journal"] {
        broker.delete_queue(&format!("{prefix}.{queue}")).await;
    }
    for exchange in ["events", "deliveries", "orphans"] {
        broker.delete_exchange(&format!("{prefix}.{exchange}")).await;
    }
}
