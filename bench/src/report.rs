//! Reports: tables for people, JSON for programs.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::json;

use crate::{
    comparisons::{self, Compared, Metric},
    plot,
    run::Measurement,
    sweep::Point,
    usage::Usage,
};

/// Writes `results.json`, `results.md` and `latency.svg` into a folder, and returns the Markdown.
pub(crate) fn write(folder: &Path, compared: &[Compared], sweep: &[Point]) -> anyhow::Result<String> {
    fs::create_dir_all(folder)?;
    let markdown = markdown(compared, sweep);
    let ratios: BTreeMap<_, _> =
        compared.iter().map(|compared| (compared.comparison.name, compared.ratio())).collect();
    let results = json!({"ratios": ratios, "comparisons": compared, "latency_by_rate": sweep});
    fs::write(folder.join("results.json"), serde_json::to_vec_pretty(&results)?)?;
    fs::write(folder.join("results.md"), &markdown)?;
    if !sweep.is_empty() {
        plot::latency(&folder.join("latency.svg"), sweep)?;
    }
    Ok(markdown)
}

fn markdown(compared: &[Compared], sweep: &[Point]) -> String {
    let mut text = String::new();
    if !compared.is_empty() {
        text.push_str("| comparison | A | B | B / A: median (min to max) | goal |\n|---|---|---|---|---|\n");
        compared.iter().for_each(|compared| comparison(&mut text, compared));
        costs(&mut text, compared);
    }
    if !sweep.is_empty() {
        text.push_str(
            "\n| system | events/s | p50 ms | p90 ms | p99 ms | p99.9 ms |\n|---|---|---|---|---|---|\n",
        );
        for point in sweep {
            let latency = point.latency_ms;
            line(
                &mut text,
                &[
                    point.system.to_owned(),
                    format!("{:.0}", point.rate),
                    format!("{:.1}", latency.p50),
                    format!("{:.1}", latency.p90),
                    format!("{:.1}", latency.p99),
                    format!("{:.1}", latency.p999),
                ],
            );
        }
    }
    text
}

fn comparison(text: &mut String, compared: &Compared) {
    let told = |side: fn(&(Measurement, Measurement)) -> &Measurement| match compared.comparison.metric {
        Metric::DeliveriesPerSecond => {
            format!("{:.0}/s", median(compared, |pair| side(pair).deliveries_per_second))
        }
        Metric::LatencyP99 => format!(
            "p50 {:.1}, p90 {:.1}, p99 {:.1}, p99.9 {:.1} ms",
            median(compared, |pair| side(pair).latency_ms.p50),
            median(compared, |pair| side(pair).latency_ms.p90),
            median(compared, |pair| side(pair).latency_ms.p99),
            median(compared, |pair| side(pair).latency_ms.p999),
        ),
    };
    let ratio = compared.ratio();
    let goal = match (compared.comparison.goal, compared.comparison.metric, compared.is_reached()) {
        (Some(goal), Metric::DeliveriesPerSecond, Some(reached)) => format!("≥ {goal}: {}", verdict(reached)),
        (Some(goal), Metric::LatencyP99, Some(reached)) => format!("≤ {goal}: {}", verdict(reached)),
        _ => String::new(),
    };
    line(
        text,
        &[
            format!("{}: {}", compared.comparison.name, compared.comparison.about),
            told(|pair| &pair.0),
            told(|pair| &pair.1),
            format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.min, ratio.max),
            goal,
        ],
    );
}

fn verdict(reached: bool) -> &'static str {
    if reached { "reached" } else { "MISSED" }
}

/// What both sides cost, per million deliveries.
fn costs(text: &mut String, compared: &[Compared]) {
    text.push_str(
        "\n| comparison, side | process | CPU seconds per million deliveries | peak MB | idle % of a core | ready after s |\n|---|---|---|---|---|---|\n",
    );
    for compared in compared {
        side_costs(text, &format!("{}, A", compared.comparison.name), compared, |pair| &pair.0);
        side_costs(text, &format!("{}, B", compared.comparison.name), compared, |pair| &pair.1);
    }
}

fn side_costs(
    text: &mut String,
    title: &str,
    compared: &Compared,
    side: fn(&(Measurement, Measurement)) -> &Measurement,
) {
    let Some(last) = compared.pairs.last().map(side) else { return };
    for name in last.usage.keys() {
        let per_million = |pair: &(Measurement, Measurement)| {
            let measurement = side(pair);
            let seconds = measurement.usage.get(name).map_or(0.0, |used| used.cpu_seconds);
            seconds / measurement.deliveries.max(1) as f64 * 1e6
        };
        let peak =
            |pair: &(Measurement, Measurement)| side(pair).usage.get(name).map_or(0.0, |used| used.peak_mb);
        let idle = last.idle.get(name).map(|idle: &Usage| format!("{:.1}", idle.cpu_share * 100.0));
        let ready = last.ready_seconds.get(name).map(|seconds| format!("{seconds:.1}"));
        line(
            text,
            &[
                title.to_owned(),
                name.clone(),
                format!("{:.0}", median(compared, per_million)),
                format!("{:.0}", median(compared, peak)),
                idle.unwrap_or_default(),
                ready.unwrap_or_default(),
            ],
        );
    }
    let commits = median(compared, |pair| side(pair).commits_per_delivery);
    let sum =
        |count: fn(&Measurement) -> u64| -> u64 { compared.pairs.iter().map(|pair| count(side(pair))).sum() };
    let (lost, repeated, wrong) = (sum(|m| m.lost), sum(|m| m.repeated), sum(|m| m.wrong));
    let ledger =
        format!("commits per delivery {commits:.4}; lost {lost}, repeated {repeated}, wrong {wrong}");
    line(text, &[title.to_owned(), ledger, String::new(), String::new(), String::new(), String::new()]);
}

fn median(compared: &Compared, value: impl Fn(&(Measurement, Measurement)) -> f64) -> f64 {
    comparisons::median(&mut compared.pairs.iter().map(value).collect::<Vec<_>>())
}

pub(crate) fn line(text: &mut String, cells: &[String]) {
    text.push_str("| ");
    text.push_str(&cells.join(" | "));
    text.push_str(" |\n");
}
