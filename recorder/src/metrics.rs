//! All that the recorder counts: one function for each thing that happens.

use std::time::Duration;

use jiff::Timestamp;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use posthorn_domain::{journal::Entry, notification::Kind, webhook::DisabledReason};

pub(crate) fn describe() {
    describe_counter!("posthorn_journal_entries_total", "Journal entries written to PostgreSQL, by kind");
    describe_gauge!(
        "posthorn_journal_lag_seconds",
        Unit::Seconds,
        "Age of the oldest entry of the last transaction"
    );
    describe_gauge!(
        "posthorn_retry_overdue_seconds",
        Unit::Seconds,
        "For how long the oldest retry that is due has not been made"
    );
    describe_histogram!("posthorn_transaction_entries", Unit::Count, "Journal entries in a transaction");
    describe_counter!(
        "posthorn_event_conflicts_total",
        "Events that came with the id of another one of their company and other content"
    );
    describe_counter!("posthorn_notifications_total", "Notifications published as events, by kind");
    describe_counter!("posthorn_mails_total", "Mails about webhooks, by what the server said");
    describe_counter!(
        "posthorn_rejected_unkept_total",
        "Rejected messages whose bytes were not kept, not wholly, or no longer"
    );
    describe_counter!("posthorn_webhooks_disabled_total", "Webhooks that were disabled, by reason");
}

pub(crate) fn recorded(entries: &[Entry], now: Timestamp) {
    histogram!("posthorn_transaction_entries").record(entries.len() as f64);
    for entry in entries {
        counter!("posthorn_journal_entries_total", "kind" => kind(entry)).increment(1);
    }
    if let Some(lag) = lag(entries, now) {
        gauge!("posthorn_journal_lag_seconds").set(lag.as_secs_f64());
    }
}

/// How long ago the oldest of these happened; zero if the clock of whoever told of it is ahead.
fn lag(entries: &[Entry], now: Timestamp) -> Option<Duration> {
    let oldest = entries.iter().map(happened_at).min()?;
    Some(now.duration_since(oldest).try_into().unwrap_or_default())
}

pub(crate) fn oldest_retry(overdue: Duration) {
    gauge!("posthorn_retry_overdue_seconds").set(overdue.as_secs_f64());
}

pub(crate) fn conflicted(conflicts: usize) {
    counter!("posthorn_event_conflicts_total").increment(conflicts as u64);
}

pub(crate) fn rejected_unkept(messages: u64) {
    counter!("posthorn_rejected_unkept_total").increment(messages);
}

pub(crate) fn webhook_disabled(reason: DisabledReason) {
    counter!("posthorn_webhooks_disabled_total", "reason" => reason.to_string()).increment(1);
}

pub(crate) fn notified(kind: Kind) {
    counter!("posthorn_notifications_total", "kind" => kind.to_string()).increment(1);
}

pub(crate) fn mailed(result: &'static str) {
    counter!("posthorn_mails_total", "result" => result).increment(1);
}

fn kind(entry: &Entry) -> &'static str {
    match entry {
        Entry::Routed(_) => "routed",
        Entry::Rejected(_) => "rejected",
        Entry::Attempted(_) => "attempted",
        Entry::Dropped(_) => "dropped",
    }
}

fn happened_at(entry: &Entry) -> Timestamp {
    match entry {
        Entry::Routed(routed) => routed.received_at,
        Entry::Rejected(rejected) => rejected.rejected_at,
        Entry::Attempted(attempted) => {
            attempted.started_at.saturating_add(attempted.duration).unwrap_or(attempted.started_at)
        }
        Entry::Dropped(dropped) => dropped.dropped_at,
    }
}

#[cfg(test)]
mod tests {
    use posthorn_domain::journal::Routed;

    use super::*;

    fn routed(second: i64) -> Entry {
        let received_at = Timestamp::from_second(second).expect("it is a time");
        Entry::Routed(Routed { message: Vec::new().into(), received_at, webhook_ids: Vec::new() })
    }

    #[test]
    fn the_oldest_entry_tells_the_lag() {
        let now = Timestamp::from_second(100).expect("it is a time");
        assert_eq!(lag(&[routed(97), routed(90), routed(99)], now), Some(Duration::from_secs(10)));
        assert_eq!(lag(&[routed(105)], now), Some(Duration::ZERO), "a clock that is ahead tells of no lag");
        assert_eq!(lag(&[], now), None);
    }
}
