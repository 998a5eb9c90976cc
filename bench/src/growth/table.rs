//! The table of each curve.

use super::{Curve, Step};
use crate::{report::line, usage::Usage};

const ROLES: [&str; 3] = ["router", "dispatcher", "rabbitmq"];
const CPU: [&str; 5] = ["rabbitmq", "router", "dispatcher", "recorder", "postgres"];

pub(super) fn markdown(curves: &[Curve], measured: &[Step]) -> String {
    let mut text = String::new();
    for curve in curves {
        let mut steps = measured.iter().filter(|step| step.curve == curve.name).peekable();
        if steps.peek().is_none() {
            continue;
        }
        text.push_str(&format!("\n{}: {}\n\n", curve.name, curve.about));
        let heads = [
            curve.name,
            "deliveries/s: median (min to max)",
            "MB/s of data",
            "first start s",
            "start s",
            "MB when ready: router, dispatcher, broker",
            "MB at most under load: router, dispatcher; broker at the end",
            "CPU µs a delivery: broker, router, dispatcher, recorder, PostgreSQL",
            "kB written a delivery: broker, PostgreSQL",
            "lost, repeated, wrong",
        ];
        line(&mut text, &heads.map(str::to_owned));
        line(&mut text, &heads.map(|_| "---".to_owned()));
        steps.for_each(|step| row(&mut text, step));
    }
    text
}

fn row(text: &mut String, step: &Step) {
    let speed = step.throughput();
    let is_watched_idle = step.setup.idle_seconds > 0;
    let loaded = |name| step.median(|run| usage(&run.usage, name).loaded_mb(name));
    let ready = |name| step.median(|run| usage(&run.idle, name).resident_mb);
    let cpu =
        |name| step.median(|run| usage(&run.usage, name).cpu_seconds / run.deliveries.max(1) as f64 * 1e6);
    let written =
        |name| step.median(|run| usage(&run.usage, name).written_mb / run.deliveries.max(1) as f64 * 1e3);
    let sum = |count: fn(&crate::run::Measurement) -> u64| step.runs.iter().map(count).sum::<u64>();
    line(
        text,
        &[
            step.at.to_string(),
            format!("{:.0} ({:.0} to {:.0})", speed.median, speed.min, speed.max),
            format!("{:.1}", speed.median * step.setup.payload as f64 / 1e6),
            format!("{:.1}", step.first_start()),
            step.start().map_or_else(String::new, |seconds| format!("{seconds:.1}")),
            if is_watched_idle { list(ROLES.map(ready), 0) } else { String::new() },
            list(ROLES.map(loaded), 0),
            list(CPU.map(cpu), 0),
            list(["rabbitmq", "postgres"].map(written), 1),
            format!("{}, {}, {}", sum(|run| run.lost), sum(|run| run.repeated), sum(|run| run.wrong)),
        ],
    );
}

fn usage(of_each: &std::collections::BTreeMap<String, Usage>, name: &str) -> Usage {
    of_each.get(name).copied().unwrap_or_default()
}

impl Usage {
    /// The broker has been there for longer than the run: its peak may be of another.
    fn loaded_mb(&self, name: &str) -> f64 {
        if name == "rabbitmq" { self.resident_mb } else { self.peak_mb }
    }
}

fn list<const N: usize>(values: [f64; N], digits: usize) -> String {
    values.map(|value| format!("{value:.digits$}")).join(", ")
}
