//! All that the router counts: one function for each thing that happens.

use std::sync::LazyLock;

use jiff::SignedDuration;
use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use posthorn_domain::{delivery_batch::BatchedEvent, event::Field, webhook::State};

/// Looked up once: to find a metric by its name costs more than to count.
static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::register);

struct Metrics {
    received: Counter,
    unwanted: Counter,
    routed: Counter,
    dropped: Counter,
    fan_out: Histogram,
    wait: Histogram,
    batch_deliveries: Histogram,
}

/// Says what each metric is, and makes those without changing labels known with the value 0.
pub(crate) fn describe() {
    describe_counter!("posthorn_events_received_total", "Events that were matched with the webhooks");
    describe_counter!("posthorn_events_unwanted_total", "Events that no webhook wanted");
    describe_counter!("posthorn_events_rejected_total", "Messages that are no events, by the field at fault");
    describe_counter!("posthorn_deliveries_routed_total", "Deliveries that were sent in delivery batches");
    describe_counter!("posthorn_deliveries_total", "Deliveries that are over, by outcome");
    describe_histogram!("posthorn_fan_out", Unit::Count, "Webhooks that wanted an event");
    describe_histogram!(
        "posthorn_event_wait_seconds",
        Unit::Seconds,
        "From an event's publishing to a router's taking it, where the event tells when it was published"
    );
    describe_histogram!("posthorn_batch_deliveries", Unit::Count, "Deliveries in a batch");
    describe_counter!(
        "posthorn_orphans_total",
        "Deliveries whose webhook had no queue, by what became of them"
    );
    describe_gauge!("posthorn_webhooks", "Webhooks, by state");
    describe_gauge!("posthorn_backlog", "Messages that wait in the queues that all webhooks share, by queue");
    LazyLock::force(&METRICS);
}

impl Metrics {
    fn register() -> Self {
        Self {
            received: counter!("posthorn_events_received_total"),
            unwanted: counter!("posthorn_events_unwanted_total"),
            routed: counter!("posthorn_deliveries_routed_total"),
            dropped: counter!("posthorn_deliveries_total", "outcome" => "dropped"),
            fan_out: histogram!("posthorn_fan_out"),
            wait: histogram!("posthorn_event_wait_seconds"),
            batch_deliveries: histogram!("posthorn_batch_deliveries"),
        }
    }
}

/// `waited` is how long it waited for a router, where it tells when it was published.
pub(crate) fn event_received(fan_out: usize, waited: Option<SignedDuration>) {
    METRICS.received.increment(1);
    METRICS.routed.increment(fan_out as u64);
    METRICS.fan_out.record(fan_out as f64);
    if let Some(waited) = waited {
        METRICS.wait.record(waited.as_secs_f64());
    }
    if fan_out == 0 {
        METRICS.unwanted.increment(1);
    }
}

pub(crate) fn batch_sent(batch: &[BatchedEvent]) {
    let deliveries: usize = batch.iter().map(|event| event.webhook_ids.len()).sum();
    METRICS.batch_deliveries.record(deliveries as f64);
}

pub(crate) fn event_rejected(field: Field) {
    counter!("posthorn_events_rejected_total", "field" => field.label()).increment(1);
}

pub(crate) fn orphan_adopted() {
    counter!("posthorn_orphans_total", "outcome" => "adopted").increment(1);
}

pub(crate) fn orphan_dropped() {
    counter!("posthorn_orphans_total", "outcome" => "dropped").increment(1);
    METRICS.dropped.increment(1);
}

pub(crate) fn webhooks(states: impl Iterator<Item = State>) {
    let (mut enabled, mut paused, mut disabled) = (0, 0, 0);
    for state in states {
        match state {
            State::Enabled => enabled += 1,
            State::Paused => paused += 1,
            State::Disabled => disabled += 1,
            State::Deleted => {}
        }
    }
    for (state, count) in [(State::Enabled, enabled), (State::Paused, paused), (State::Disabled, disabled)] {
        gauge!("posthorn_webhooks", "state" => state.to_string()).set(f64::from(count));
    }
}

pub(crate) fn backlog(queue: &'static str, messages: u32) {
    gauge!("posthorn_backlog", "queue" => queue).set(f64::from(messages));
}
