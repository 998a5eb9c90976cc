//! How Posthorn grows: with webhooks, with dispatchers, with the size of events.

mod plot;
mod table;

use std::{fs, path::Path};

use serde::Serialize;

use crate::{
    comparisons::{Spread, spread},
    run::{Measurement, Runner},
    setup::{Kind, Load, QueueType, Setup},
};

/// One thing that grows, step by step.
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    steps: Vec<(usize, Setup)>,
}

/// The runs of one step of a curve.
#[derive(Debug, Serialize)]
pub(crate) struct Step {
    curve: &'static str,
    /// How much there is of what grows.
    at: usize,
    setup: Setup,
    /// The first one makes the webhooks' queues.
    runs: Vec<Measurement>,
}

impl Step {
    fn throughput(&self) -> Spread {
        spread(self.runs.iter().map(|run| run.deliveries_per_second))
    }

    fn median(&self, value: impl Fn(&Measurement) -> f64) -> f64 {
        spread(self.runs.iter().map(value)).median
    }

    /// From the start of the roles until all were ready, when the queues had to be made.
    fn first_start(&self) -> f64 {
        self.runs.first().map_or(0.0, start)
    }

    /// The same when they were there; none if there was only one run.
    fn start(&self) -> Option<f64> {
        let again = self.runs.get(1..).filter(|runs| !runs.is_empty())?;
        Some(spread(again.iter().map(start)).median)
    }
}

fn start(run: &Measurement) -> f64 {
    run.ready_seconds.values().copied().fold(0.0, f64::max)
}

/// Measures each step of each curve so many times, and writes `growth.json`, `growth.md` and
/// `growth.svg` into a folder; returns the Markdown.
pub(crate) async fn measure(
    runner: &Runner,
    curves: &[Curve],
    runs: usize,
    folder: &Path,
) -> anyhow::Result<String> {
    let (mut measured, mut markdown) = (Vec::new(), String::new());
    for curve in curves {
        for (at, setup) in &curve.steps {
            let mut step = Step { curve: curve.name, at: *at, setup: setup.clone(), runs: Vec::new() };
            let mut system = runner.prepare(setup).await?;
            for number in 1..=runs {
                let run = runner.run(&mut system, setup).await?;
                let (ready, speed) = (start(&run), run.deliveries_per_second);
                eprintln!("{} {at}, {number}/{runs}: ready after {ready:.1} s, {speed:.0}/s", curve.name);
                step.runs.push(run);
            }
            measured.push(step);
            markdown = write(folder, curves, &measured)?;
            if !is_left_behind(setup) {
                system.remove().await?;
            }
        }
    }
    Ok(markdown)
}

fn write(folder: &Path, curves: &[Curve], measured: &[Step]) -> anyhow::Result<String> {
    fs::create_dir_all(folder)?;
    let markdown = table::markdown(curves, measured);
    fs::write(folder.join("growth.json"), serde_json::to_vec_pretty(measured)?)?;
    fs::write(folder.join("growth.md"), &markdown)?;
    plot::draw(&folder.join("growth.svg"), measured)?;
    Ok(markdown)
}

/// The servers go with the benchmark, sooner than so many queues can be deleted.
fn is_left_behind(setup: &Setup) -> bool {
    let most = match setup.queue_type {
        QueueType::Quorum => 1000,
        QueueType::Classic => 30_000,
    };
    setup.webhooks >= most
}

/// All curves; those with the most queues come last.
pub(crate) fn curves() -> Vec<Curve> {
    let of_100 = |fan_out| Setup::new(Kind::Posthorn, 100, fan_out);
    let payload =
        |(payload, window)| (payload, Setup { payload, load: Load::Closed { window }, ..of_100(1) });
    let dispatchers = |dispatchers| (dispatchers, Setup { dispatchers, ..of_100(10) });
    let late = |dispatchers| {
        let load = Load::Closed { window: 4000 };
        (dispatchers, Setup { dispatchers, is_late: true, load, ..of_100(10) })
    };
    let webhooks = |queue_type, webhooks| {
        let setup = Setup::new(Kind::Posthorn, webhooks, 1);
        (webhooks, Setup { queue_type, idle_seconds: 3, ..setup })
    };
    let quorum = |count| webhooks(QueueType::Quorum, count);
    let classic = |count| webhooks(QueueType::Classic, count);
    vec![
        Curve {
            name: "payload",
            about: "bytes of an event's data; fan-out 1 over 100 webhooks",
            steps: [(512, 1000), (8 << 10, 1000), (64 << 10, 256), (256 << 10, 64)].map(payload).into(),
        },
        Curve {
            name: "dispatchers",
            about: "dispatchers on the same machine; fan-out 10 over 100 webhooks",
            steps: [1, 2, 4, 8].map(dispatchers).into(),
        },
        Curve {
            name: "dispatchers-late",
            about: "the same, receivers that answer after half a second",
            steps: [1, 2, 4].map(late).into(),
        },
        Curve {
            name: "webhooks-quorum",
            about: "webhooks with quorum queues, fan-out 1",
            steps: [100, 1000].map(quorum).into(),
        },
        Curve {
            name: "webhooks",
            about: "webhooks with classic queues, fan-out 1",
            steps: [10, 100, 1000, 10_000, 30_000].map(classic).into(),
        },
    ]
}
