//! Latency at growing rates, for the plot.

use serde::Serialize;

use crate::{
    comparisons::spread,
    run::Runner,
    setup::{Kind, Load, Setup},
    tally::Latency,
};

const RATES: [f64; 7] = [250.0, 500.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0];
const RUNS: usize = 3;
const SYSTEMS: [(&str, Kind); 2] = [("ceiling", Kind::Ceiling), ("posthorn", Kind::Posthorn)];

/// The latency of a system at a rate: of each quantile the median of the runs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Point {
    pub(crate) system: &'static str,
    pub(crate) rate: f64,
    pub(crate) latency_ms: Latency,
}

/// Measures one webhook at each rate, the ceiling and Posthorn in turn.
pub(crate) async fn measure(runner: &Runner) -> anyhow::Result<Vec<Point>> {
    let mut points = Vec::new();
    for rate in RATES {
        let mut runs = [const { Vec::new() }; SYSTEMS.len()];
        for _ in 0..RUNS {
            for ((_, kind), runs) in SYSTEMS.iter().zip(&mut runs) {
                let setup = Setup { load: Load::Open { rate }, ..Setup::new(*kind, 1, 1) };
                let mut system = runner.prepare(&setup).await?;
                let measured = runner.run(&mut system, &setup).await;
                system.remove().await?;
                runs.push(measured?.latency_ms);
            }
        }
        for ((system, _), runs) in SYSTEMS.iter().zip(runs) {
            let latency_ms = median(&runs);
            eprintln!("{system} at {rate}/s: p50 {:.1} ms, p99 {:.1} ms", latency_ms.p50, latency_ms.p99);
            points.push(Point { system, rate, latency_ms });
        }
    }
    Ok(points)
}

fn median(runs: &[Latency]) -> Latency {
    let of = |quantile: fn(&Latency) -> f64| spread(runs.iter().map(quantile)).median;
    Latency {
        p50: of(|run| run.p50),
        p90: of(|run| run.p90),
        p99: of(|run| run.p99),
        p999: of(|run| run.p999),
    }
}
