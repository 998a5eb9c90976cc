//! All that the dispatcher counts: one function for each thing that happens.

use std::{sync::LazyLock, time::Duration};

use jiff::Timestamp;
use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use posthorn_attempt::Answer;
use posthorn_domain::{
    breaker::State,
    outcome::{Outcome, UnreachableClass},
    step::Step,
};

/// Looked up once: to find a metric by its name costs more than to count.
static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::register);

struct Metrics {
    in_flight: Gauge,
    /// In the order of [`Wait`].
    waiting: [Gauge; Wait::ALL.len()],
    breakers_open: Gauge,
    breakers_half_open: Gauge,
    attempts: Attempts,
    attempt_duration: Histogram,
    connections: Counter,
    repeats: Counter,
    deliveries: Deliveries,
    latency: Histogram,
    queued: Counter,
    batch_prefetch: Gauge,
    outage: Gauge,
    unreadable_secrets: Counter,
}

/// Attempts by outcome.
struct Attempts {
    accepted: Counter,
    refused: Counter,
    gone: Counter,
    interrupted: Counter,
    /// In the order of the classes.
    unreachable: [Counter; UnreachableClass::ALL.len()],
}

/// Deliveries that are over, by outcome.
struct Deliveries {
    accepted: Counter,
    exhausted: Counter,
    gone: Counter,
}

/// Says what each metric is, and makes all of them known with the value 0.
pub(crate) fn describe() {
    describe_counter!("posthorn_attempts_total", "Attempts, by outcome and, where unreachable, by class");
    describe_histogram!("posthorn_attempt_duration_seconds", Unit::Seconds, "How long attempts took");
    describe_counter!("posthorn_connections_total", "Connections made to receivers");
    describe_counter!(
        "posthorn_requests_repeated_total",
        "Requests that went out again within their attempts, since the receiver had not processed them"
    );
    describe_counter!("posthorn_deliveries_total", "Deliveries that are over, by outcome");
    describe_histogram!(
        "posthorn_delivery_latency_seconds",
        Unit::Seconds,
        "From an event's publishing to its acceptance"
    );
    describe_counter!(
        "posthorn_deliveries_queued_total",
        "Deliveries that went to their webhooks' queues since they could not be attempted at once"
    );
    describe_gauge!(
        "posthorn_batch_prefetch",
        Unit::Count,
        "Delivery batches that the broker hands over before it waits for acknowledgements"
    );
    describe_gauge!("posthorn_in_flight", "Attempts that run now");
    describe_gauge!("posthorn_attempts_waiting", "Deliveries in hand that wait for their attempt, by reason");
    describe_gauge!(
        "posthorn_circuit_breakers",
        "Webhooks whose circuit breaker is not closed: open while it pauses, half_open while one probes"
    );
    describe_gauge!(
        "posthorn_outage",
        "1 while attempts at hosts that turned unreachable pause, since our own network seems to be down"
    );
    describe_counter!(
        "posthorn_unreadable_secrets_total",
        "Webhooks that were skipped since no key opens a secret"
    );
    LazyLock::force(&METRICS);
}

impl Metrics {
    fn register() -> Self {
        let deliveries = |outcome| counter!("posthorn_deliveries_total", "outcome" => outcome);
        Self {
            in_flight: gauge!("posthorn_in_flight"),
            waiting: Wait::ALL.map(|wait| gauge!("posthorn_attempts_waiting", "reason" => wait.label())),
            breakers_open: gauge!("posthorn_circuit_breakers", "state" => "open"),
            breakers_half_open: gauge!("posthorn_circuit_breakers", "state" => "half_open"),
            attempts: Attempts::register(),
            attempt_duration: histogram!("posthorn_attempt_duration_seconds"),
            connections: counter!("posthorn_connections_total"),
            repeats: counter!("posthorn_requests_repeated_total"),
            deliveries: Deliveries {
                accepted: deliveries("accepted"),
                exhausted: deliveries("exhausted"),
                gone: deliveries("gone"),
            },
            latency: histogram!("posthorn_delivery_latency_seconds"),
            queued: counter!("posthorn_deliveries_queued_total"),
            batch_prefetch: gauge!("posthorn_batch_prefetch"),
            outage: gauge!("posthorn_outage"),
            unreadable_secrets: counter!("posthorn_unreadable_secrets_total"),
        }
    }
}

impl Attempts {
    fn register() -> Self {
        let of = |outcome, class| counter!("posthorn_attempts_total", "outcome" => outcome, "class" => class);
        Self {
            accepted: of("accepted", ""),
            refused: of("refused", ""),
            gone: of("gone", ""),
            interrupted: of("interrupted", ""),
            unreachable: UnreachableClass::ALL.map(|class| of("unreachable", class.label())),
        }
    }

    fn of(&self, outcome: &Outcome) -> &Counter {
        match outcome {
            Outcome::Accepted { .. } => &self.accepted,
            Outcome::Refused { .. } => &self.refused,
            Outcome::Gone => &self.gone,
            Outcome::Interrupted => &self.interrupted,
            Outcome::Unreachable { class, .. } => &self.unreachable[*class as usize],
        }
    }
}

/// For what a delivery in hand waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Its webhook has as many attempts in flight as it wants.
    MaxInFlight,
    /// Its webhook's circuit breaker is open.
    CircuitBreaker,
    /// An outage of ours.
    Outage,
    /// Its company's, its host's or the process's attempts are taken.
    Permit,
}

impl Wait {
    const ALL: [Self; 4] = [Self::MaxInFlight, Self::CircuitBreaker, Self::Outage, Self::Permit];

    fn label(self) -> &'static str {
        match self {
            Self::MaxInFlight => "max_in_flight",
            Self::CircuitBreaker => "circuit_breaker",
            Self::Outage => "outage",
            Self::Permit => "permit",
        }
    }
}

/// Counts a delivery as waiting until it is dropped.
pub(crate) struct Waiting(Wait);

pub(crate) fn waiting(wait: Wait) -> Waiting {
    METRICS.waiting[wait as usize].increment(1);
    Waiting(wait)
}

impl Drop for Waiting {
    fn drop(&mut self) {
        METRICS.waiting[self.0 as usize].decrement(1);
    }
}

/// A webhook's circuit breaker was in one state and is in another.
pub(crate) fn breaker(was: State, is: State) {
    let gauge = |state| match state {
        State::Closed => None,
        State::Open { .. } => Some(&METRICS.breakers_open),
        State::HalfOpen { .. } => Some(&METRICS.breakers_half_open),
    };
    if let Some(gauge) = gauge(was) {
        gauge.decrement(1);
    }
    if let Some(gauge) = gauge(is) {
        gauge.increment(1);
    }
}

/// Counts an attempt as running until it is dropped.
pub(crate) struct Running(());

pub(crate) fn attempt_started() -> Running {
    METRICS.in_flight.increment(1);
    Running(())
}

impl Drop for Running {
    fn drop(&mut self) {
        METRICS.in_flight.decrement(1);
    }
}

pub(crate) fn attempt_finished(outcome: &Outcome, took: Duration) {
    METRICS.attempts.of(outcome).increment(1);
    METRICS.attempt_duration.record(took);
}

/// How an attempt got to its receiver.
pub(crate) fn sent(answer: &Answer) {
    METRICS.connections.increment(answer.connections.into());
    METRICS.repeats.increment(answer.repeats.into());
}

/// What follows from an attempt, `now`; `published_at` is when its event was.
pub(crate) fn step_taken(step: Step<Duration>, published_at: Option<Timestamp>, now: Timestamp) {
    match step {
        Step::Retry(_) => {}
        Step::GiveUp => METRICS.deliveries.exhausted.increment(1),
        Step::Disable => METRICS.deliveries.gone.increment(1),
        Step::Succeed => {
            METRICS.deliveries.accepted.increment(1);
            if let Some(published_at) = published_at {
                let latency = now.duration_since(published_at).as_secs_f64();
                METRICS.latency.record(latency.max(0.0));
            }
        }
    }
}

pub(crate) fn queued() {
    METRICS.queued.increment(1);
}

pub(crate) fn batch_prefetch(batches: u16) {
    METRICS.batch_prefetch.set(f64::from(batches));
}

pub(crate) fn outage(is: bool) {
    METRICS.outage.set(if is { 1.0 } else { 0.0 });
}

pub(crate) fn secret_unreadable() {
    METRICS.unreadable_secrets.increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_numbered_in_their_order() {
        for (position, class) in UnreachableClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, position);
        }
    }
}
