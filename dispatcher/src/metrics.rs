//! All that the dispatcher counts: one function for each thing that happens.

use std::time::Duration;

use jiff::Timestamp;
use metrics::{Gauge, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use posthorn_domain::outcome::Outcome;

pub(crate) fn describe() {
    describe_counter!("posthorn_attempts_total", "Attempts, by outcome and, where unreachable, by class");
    describe_histogram!("posthorn_attempt_duration_seconds", Unit::Seconds, "How long attempts took");
    describe_histogram!(
        "posthorn_delivery_latency_seconds",
        Unit::Seconds,
        "From an event's arrival at the router to its acceptance"
    );
    describe_counter!(
        "posthorn_deliveries_set_aside_total",
        "Deliveries that went to their webhooks' queues since they could not be attempted at once"
    );
    describe_gauge!("posthorn_attempts_in_flight", "Attempts that run now");
    describe_gauge!("posthorn_webhooks_enabled", "Webhooks that this dispatcher delivers to");
    describe_gauge!(
        "posthorn_outage",
        "1 while attempts pause since most webhooks turned unreachable at once"
    );
    describe_counter!(
        "posthorn_unreadable_secrets_total",
        "Webhooks that were skipped since no key opens a secret"
    );
}

/// Counts an attempt as running until it is dropped.
pub(crate) struct Running(Gauge);

pub(crate) fn attempt_started() -> Running {
    let running = gauge!("posthorn_attempts_in_flight");
    running.increment(1);
    Running(running)
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

pub(crate) fn attempt_finished(outcome: &Outcome, took: Duration, received_at: Option<Timestamp>) {
    let class = outcome.unreachable().map_or("", |(class, _)| class.label());
    counter!("posthorn_attempts_total", "outcome" => outcome.label(), "class" => class).increment(1);
    histogram!("posthorn_attempt_duration_seconds").record(took);
    if let (Outcome::Accepted { .. }, Some(received_at)) = (outcome, received_at) {
        let latency = Timestamp::now().duration_since(received_at).as_secs_f64();
        histogram!("posthorn_delivery_latency_seconds").record(latency.max(0.0));
    }
}

pub(crate) fn set_aside() {
    counter!("posthorn_deliveries_set_aside_total").increment(1);
}

pub(crate) fn webhooks_enabled(count: usize) {
    gauge!("posthorn_webhooks_enabled").set(count as f64);
}

pub(crate) fn outage(is: bool) {
    gauge!("posthorn_outage").set(if is { 1.0 } else { 0.0 });
}

pub(crate) fn secret_unreadable() {
    counter!("posthorn_unreadable_secrets_total").increment(1);
}
