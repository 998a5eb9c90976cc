//! All that the router counts: one function for each thing that happens.

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use posthorn_domain::round::RoundEvent;

pub(crate) fn describe() {
    describe_counter!("posthorn_events_received_total", "Events that were matched with the webhooks");
    describe_counter!("posthorn_events_unwanted_total", "Events that no webhook wanted");
    describe_counter!("posthorn_events_rejected_total", "Messages that are no events, by the field at fault");
    describe_counter!("posthorn_deliveries_routed_total", "Deliveries that were sent on their rounds");
    describe_histogram!("posthorn_fan_out", Unit::Count, "Webhooks that wanted an event");
    describe_histogram!("posthorn_round_deliveries", Unit::Count, "Deliveries in a round");
    describe_counter!(
        "posthorn_orphans_total",
        "Deliveries whose webhook had no queue, by what became of them"
    );
}

pub(crate) fn event_received(fan_out: usize) {
    counter!("posthorn_events_received_total").increment(1);
    counter!("posthorn_deliveries_routed_total").increment(fan_out as u64);
    histogram!("posthorn_fan_out").record(fan_out as f64);
    if fan_out == 0 {
        counter!("posthorn_events_unwanted_total").increment(1);
    }
}

pub(crate) fn round_sent(round: &[RoundEvent]) {
    let deliveries: usize = round.iter().map(|event| event.webhook_ids.len()).sum();
    histogram!("posthorn_round_deliveries").record(deliveries as f64);
}

pub(crate) fn event_rejected(field: &'static str) {
    counter!("posthorn_events_rejected_total", "field" => field).increment(1);
}

pub(crate) fn orphan(outcome: &'static str) {
    counter!("posthorn_orphans_total", "outcome" => outcome).increment(1);
}
