//! What is compared with what.

use serde::Serialize;

use crate::{
    run::{Measurement, Runner},
    setup::{Kind, Load, QueueType, Setup},
};

/// Two sides, measured in turn A B A B.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Comparison {
    pub(crate) name: &'static str,
    /// What the ratio of B to A tells.
    pub(crate) about: &'static str,
    pub(crate) metric: Metric,
    pub(crate) a: Setup,
    pub(crate) b: Setup,
    /// What the ratio should be at least (throughput) or at most (latency), where there is a goal.
    pub(crate) goal: Option<f64>,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    DeliveriesPerSecond,
    LatencyP99,
}

/// A comparison's pairs of runs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Compared {
    pub(crate) comparison: Comparison,
    pub(crate) pairs: Vec<(Measurement, Measurement)>,
}

/// The median of what was measured several times, and the smallest and the largest.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// From so many on, webhooks are kept from run to run and left behind: to make and to delete them takes
/// longer than to measure. Such comparisons come last.
const KEPT_FROM: usize = 1000;

impl Comparison {
    pub(crate) async fn measure(self, runner: &Runner, pairs: usize) -> anyhow::Result<Compared> {
        let mut measured = Vec::new();
        let mut kept = (None, None);
        for number in 1..=pairs {
            let a = side(runner, &self.a, &mut kept.0).await?;
            let b = side(runner, &self.b, &mut kept.1).await?;
            eprintln!(
                "{} {number}/{pairs}: A {:.0}/s p99 {:.1} ms, B {:.0}/s p99 {:.1} ms",
                self.name,
                a.deliveries_per_second,
                a.latency_ms.p99,
                b.deliveries_per_second,
                b.latency_ms.p99
            );
            measured.push((a, b));
        }
        Ok(Compared { comparison: self, pairs: measured })
    }
}

async fn side(
    runner: &Runner,
    setup: &Setup,
    kept: &mut Option<crate::system::System>,
) -> anyhow::Result<Measurement> {
    let mut system = match kept.take() {
        Some(system) => system,
        None => runner.prepare(setup).await?,
    };
    let measured = runner.run(&mut system, setup).await;
    match setup.webhooks >= KEPT_FROM {
        true => *kept = Some(system),
        false => system.remove().await?,
    }
    measured
}

impl Compared {
    pub(crate) fn ratio(&self) -> Spread {
        let metric = |measurement: &Measurement| match self.comparison.metric {
            Metric::DeliveriesPerSecond => measurement.deliveries_per_second,
            Metric::LatencyP99 => measurement.latency_ms.p99,
        };
        spread(self.pairs.iter().map(|(a, b)| metric(b) / metric(a)))
    }

    /// Whether the goal is reached, where there is one.
    pub(crate) fn is_reached(&self) -> Option<bool> {
        let median = self.ratio().median;
        self.comparison.goal.map(|goal| match self.comparison.metric {
            Metric::DeliveriesPerSecond => median >= goal,
            Metric::LatencyP99 => median <= goal,
        })
    }
}

/// The spread of these values, of which there must be one.
pub(crate) fn spread(values: impl Iterator<Item = f64>) -> Spread {
    let mut values: Vec<_> = values.collect();
    let median = median(&mut values);
    Spread { median, min: values[0], max: values[values.len() - 1] }
}

/// Sorts the values, of which there must be one, and tells the one in the middle, or the mean of two.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}

/// All comparisons, in the order in which they are made.
pub(crate) fn all() -> Vec<Comparison> {
    let ceiling = |webhooks, fan_out| Setup::new(Kind::Ceiling, webhooks, fan_out);
    let posthorn = |webhooks, fan_out| Setup::new(Kind::Posthorn, webhooks, fan_out);
    let at = |rate: f64, setup: Setup| Setup { load: Load::Open { rate }, ..setup };
    let sized =
        |payload: usize, window, setup: Setup| Setup { payload, load: Load::Closed { window }, ..setup };
    let classic = |setup: Setup| Setup { queue_type: QueueType::Classic, ..setup };
    let waiting = |setup: Setup| Setup { load: Load::Backlog { deliveries: 200_000 }, ..setup };
    let throughput =
        |name, about, a, b, goal| Comparison { name, about, metric: Metric::DeliveriesPerSecond, a, b, goal };
    let p99 = |name, about, a, b, goal| Comparison { name, about, metric: Metric::LatencyP99, a, b, goal };
    let calm = at(500.0, posthorn(100, 1));
    // Each webhook of either company gets 5 events a second.
    let tenant = |of_tenant: usize, hanging| {
        let webhooks = 100 + of_tenant;
        Setup { of_tenant, hanging, ..at(5.0 * webhooks as f64, posthorn(webhooks, 1)) }
    };
    vec![
        throughput(
            "fan-out-1",
            "1 webhook; Posthorn against the ceiling",
            ceiling(1, 1),
            posthorn(1, 1),
            Some(0.7),
        ),
        throughput(
            "fan-out-1-of-100",
            "fan-out 1 over 100 webhooks; Posthorn against the ceiling",
            ceiling(100, 1),
            posthorn(100, 1),
            Some(0.7),
        ),
        throughput(
            "fan-out-10-of-100",
            "fan-out 10 over 100 webhooks; Posthorn against the ceiling",
            ceiling(100, 10),
            posthorn(100, 10),
            Some(0.7),
        ),
        p99(
            "latency-500",
            "500 events/s, 1 webhook; p99 of Posthorn against the ceiling's",
            at(500.0, ceiling(1, 1)),
            at(500.0, posthorn(1, 1)),
            Some(3.0),
        ),
        p99(
            "latency-2000",
            "2,000 events/s, 1 webhook; p99 of Posthorn against the ceiling's",
            at(2000.0, ceiling(1, 1)),
            at(2000.0, posthorn(1, 1)),
            None,
        ),
        p99(
            "hanging",
            "500 events/s, 10 of 100 webhooks never answer; p99 of the others against undisturbed",
            calm.clone(),
            Setup { hanging: 10, ..calm.clone() },
            Some(1.2),
        ),
        p99(
            "tenant-hangs-1",
            "1 webhook of another company never answers; p99 of 100 webhooks against when it answers",
            tenant(1, 0),
            tenant(1, 1),
            Some(1.2),
        ),
        p99(
            "tenant-hangs-10",
            "10 webhooks of another company never answer; p99 of 100 webhooks against when they answer",
            tenant(10, 0),
            tenant(10, 10),
            Some(1.2),
        ),
        p99(
            "tenant-hangs-100",
            "100 webhooks of another company never answer; p99 of 100 webhooks against when they answer",
            tenant(100, 0),
            tenant(100, 100),
            Some(1.2),
        ),
        p99(
            "failing",
            "500 events/s, 10 of 100 webhooks answer 503; p99 of the others against undisturbed",
            calm.clone(),
            Setup { failing: 10, ..calm.clone() },
            None,
        ),
        throughput(
            "payload-8k",
            "8 KiB, 100 webhooks; Posthorn against the ceiling",
            sized(8 << 10, 1000, ceiling(100, 1)),
            sized(8 << 10, 1000, posthorn(100, 1)),
            None,
        ),
        throughput(
            "payload-256k",
            "256 KiB, 100 webhooks; Posthorn against the ceiling",
            sized(256 << 10, 64, ceiling(100, 1)),
            sized(256 << 10, 64, posthorn(100, 1)),
            None,
        ),
        throughput(
            "dispatchers-3",
            "fan-out 10 over 100 webhooks; 3 dispatchers against 1",
            posthorn(100, 10),
            Setup { dispatchers: 3, ..posthorn(100, 10) },
            None,
        ),
        throughput(
            "backlog",
            "200,000 deliveries wait for 100 webhooks; Posthorn against the ceiling",
            waiting(ceiling(100, 10)),
            waiting(posthorn(100, 10)),
            None,
        ),
        throughput(
            "webhooks-10000",
            "fan-out 1; 10,000 webhooks against 100",
            classic(posthorn(100, 1)),
            Setup { idle_seconds: 10, ..classic(posthorn(10_000, 1)) },
            Some(0.8),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_lies_between_the_two_in_the_middle() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
