//! Latency at growing rates, for the plot.

use serde::Serialize;

use crate::{
    run::Runner,
    setup::{Kind, Load, Setup},
    tally::Latency,
};

const RATES: [f64; 7] = [250.0, 500.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0];

/// The latency of a system at a rate.
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
        for (name, kind) in [("ceiling", Kind::Ceiling), ("posthorn", Kind::Posthorn)] {
            let setup = Setup { load: Load::Open { rate }, ..Setup::new(kind, 1, 1) };
            let mut system = runner.prepare(&setup).await?;
            let measured = runner.run(&mut system, &setup).await;
            system.remove().await?;
            let latency_ms = measured?.latency_ms;
            eprintln!("{name} at {rate}/s: p50 {:.1} ms, p99 {:.1} ms", latency_ms.p50, latency_ms.p99);
            points.push(Point { system: name, rate, latency_ms });
        }
    }
    Ok(points)
}
