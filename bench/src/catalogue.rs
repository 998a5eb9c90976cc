//! All comparisons.

use crate::{
    comparisons::{Comparison, Metric},
    setup::{Kind, Load, QueueType, Setup},
};

const CEILING_SHARE: Option<f64> = Some(0.7);
const UNDISTURBED: Option<f64> = Some(1.2);

/// All comparisons, in the order in which they are made.
pub(crate) fn all() -> Vec<Comparison> {
    [speed(), latency(), neighbours(), companies(), payloads(), growth()].concat()
}

fn ceiling(webhooks: usize, fan_out: usize) -> Setup {
    Setup::new(Kind::Ceiling, webhooks, fan_out)
}

fn posthorn(webhooks: usize, fan_out: usize) -> Setup {
    Setup::new(Kind::Posthorn, webhooks, fan_out)
}

fn at(rate: f64, setup: Setup) -> Setup {
    Setup { load: Load::Open { rate }, ..setup }
}

fn throughput(name: &'static str, about: &'static str, [a, b]: [Setup; 2], goal: Option<f64>) -> Comparison {
    Comparison { name, about, metric: Metric::DeliveriesPerSecond, a, b, goal }
}

fn p99(name: &'static str, about: &'static str, [a, b]: [Setup; 2], goal: Option<f64>) -> Comparison {
    Comparison { name, about, metric: Metric::LatencyP99, a, b, goal }
}

fn speed() -> Vec<Comparison> {
    let both = |webhooks, fan_out| [ceiling(webhooks, fan_out), posthorn(webhooks, fan_out)];
    vec![
        throughput("fan-out-1", "1 webhook; Posthorn against the ceiling", both(1, 1), CEILING_SHARE),
        throughput(
            "fan-out-1-of-100",
            "fan-out 1 over 100 webhooks; Posthorn against the ceiling",
            both(100, 1),
            CEILING_SHARE,
        ),
        throughput(
            "fan-out-10-of-100",
            "fan-out 10 over 100 webhooks; Posthorn against the ceiling",
            both(100, 10),
            CEILING_SHARE,
        ),
    ]
}

fn latency() -> Vec<Comparison> {
    let both = |rate| [at(rate, ceiling(1, 1)), at(rate, posthorn(1, 1))];
    vec![
        p99(
            "latency-500",
            "500 events/s, 1 webhook; p99 of Posthorn against the ceiling's",
            both(500.0),
            Some(3.0),
        ),
        p99(
            "latency-2000",
            "2,000 events/s, 1 webhook; p99 of Posthorn against the ceiling's",
            both(2000.0),
            None,
        ),
    ]
}

/// Webhooks that hang or fail, beside others of the same company.
fn neighbours() -> Vec<Comparison> {
    let calm = at(500.0, posthorn(100, 1));
    let against = |disturbed| [calm.clone(), disturbed];
    vec![
        p99(
            "hanging",
            "500 events/s, 10 of 100 webhooks never answer; p99 of the others against undisturbed",
            against(Setup { hanging: 10, ..calm.clone() }),
            UNDISTURBED,
        ),
        p99(
            "failing",
            "500 events/s, 10 of 100 webhooks answer 503; p99 of the others against undisturbed",
            against(Setup { failing: 10, ..calm.clone() }),
            None,
        ),
    ]
}

/// Webhooks of one company that hang, beside those of another.
fn companies() -> Vec<Comparison> {
    // Each webhook of either company gets 5 events a second.
    let both = |of_tenant: usize| {
        let webhooks = 100 + of_tenant;
        let answers = Setup { of_tenant, ..at(5.0 * webhooks as f64, posthorn(webhooks, 1)) };
        let hangs = Setup { hanging: of_tenant, ..answers.clone() };
        [answers, hangs]
    };
    vec![
        p99(
            "tenant-hangs-1",
            "1 webhook of another company never answers; p99 of 100 webhooks against when it answers",
            both(1),
            UNDISTURBED,
        ),
        p99(
            "tenant-hangs-10",
            "10 webhooks of another company never answer; p99 of 100 webhooks against when they answer",
            both(10),
            UNDISTURBED,
        ),
        p99(
            "tenant-hangs-100",
            "100 webhooks of another company never answer; p99 of 100 webhooks against when they answer",
            both(100),
            UNDISTURBED,
        ),
    ]
}

fn payloads() -> Vec<Comparison> {
    let sized = |payload, window, setup| Setup { payload, load: Load::Closed { window }, ..setup };
    let both =
        |payload, window| [sized(payload, window, ceiling(100, 1)), sized(payload, window, posthorn(100, 1))];
    vec![
        throughput(
            "payload-8k",
            "8 KiB, 100 webhooks; Posthorn against the ceiling",
            both(8 << 10, 1000),
            None,
        ),
        throughput(
            "payload-256k",
            "256 KiB, 100 webhooks; Posthorn against the ceiling",
            both(256 << 10, 64),
            None,
        ),
    ]
}

fn growth() -> Vec<Comparison> {
    let classic = |setup| Setup { queue_type: QueueType::Classic, ..setup };
    let waiting = |setup| Setup { load: Load::Backlog { deliveries: 200_000 }, ..setup };
    vec![
        throughput(
            "dispatchers-3",
            "fan-out 10 over 100 webhooks; 3 dispatchers against 1",
            [posthorn(100, 10), Setup { dispatchers: 3, ..posthorn(100, 10) }],
            None,
        ),
        throughput(
            "backlog",
            "200,000 deliveries wait for 100 webhooks; Posthorn against the ceiling",
            [waiting(ceiling(100, 10)), waiting(posthorn(100, 10))],
            None,
        ),
        throughput(
            "webhooks-10000",
            "fan-out 1; 10,000 webhooks against 100",
            [classic(posthorn(100, 1)), Setup { idle_seconds: 10, ..classic(posthorn(10_000, 1)) }],
            Some(0.8),
        ),
    ]
}
