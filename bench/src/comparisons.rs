//! What is compared with what.

use serde::Serialize;

use crate::{
    run::{Measurement, Runner},
    setup::Setup,
    system::System,
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

async fn side(runner: &Runner, setup: &Setup, kept: &mut Option<System>) -> anyhow::Result<Measurement> {
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

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_lies_between_the_two_in_the_middle() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
