//! The curves as an SVG.

use std::path::Path;

use plotters::{coord::Shift, prelude::*};

use super::Step;

const SIZE: (u32, u32) = (960, 640);
const ORANGE: RGBColor = RGBColor(200, 90, 20);
const GREY: RGBColor = RGBColor(120, 130, 140);
const BLUE: RGBColor = RGBColor(40, 100, 160);

type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;

struct Line {
    label: &'static str,
    color: RGBColor,
    points: Vec<(f64, f64)>,
}

pub(super) fn draw(path: &Path, steps: &[Step]) -> anyhow::Result<()> {
    let line = |label, color, curve: &str, value: &dyn Fn(&Step) -> f64| {
        let points = steps.iter().filter(|step| step.curve == curve);
        Line { label, color, points: points.map(|step| (step.at as f64, value(step))).collect() }
    };
    let speed = |step: &Step| step.throughput().median;
    let peak = |name: &'static str| {
        move |step: &Step| step.median(|run| run.usage.get(name).map_or(0.0, |usage| usage.peak_mb))
    };
    let resident =
        |step: &Step| step.median(|run| run.usage.get("rabbitmq").map_or(0.0, |usage| usage.resident_mb));
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let [throughput, memory, start, dispatchers] = &root.split_evenly((2, 2))[..] else {
        anyhow::bail!("two by two are four");
    };
    panel(
        throughput,
        ("Deliveries a second, fan-out 1", "webhooks"),
        &[line("posthorn", ORANGE, "webhooks", &speed)],
    )?;
    panel(
        memory,
        ("MB under load", "webhooks"),
        &[
            line("dispatcher, at most", ORANGE, "webhooks", &peak("dispatcher")),
            line("router, at most", BLUE, "webhooks", &peak("router")),
            line("broker", GREY, "webhooks", &resident),
        ],
    )?;
    panel(
        start,
        ("Seconds until ready", "webhooks"),
        &[
            line("queues are made", GREY, "webhooks", &Step::first_start),
            line("queues are there", ORANGE, "webhooks", &|step| step.start().unwrap_or_default()),
        ],
    )?;
    panel(
        dispatchers,
        ("Deliveries a second, fan-out 10 over 100 webhooks", "dispatchers"),
        &[
            line("receivers answer at once", ORANGE, "dispatchers", &speed),
            line("after half a second", BLUE, "dispatchers-late", &speed),
        ],
    )?;
    root.present()?;
    Ok(())
}

fn panel(area: &Panel<'_>, (caption, grows): (&str, &str), lines: &[Line]) -> anyhow::Result<()> {
    let points = || lines.iter().flat_map(|line| &line.points);
    if points().count() < 2 {
        return Ok(());
    }
    let (least, most) = (
        points().map(|point| point.0).fold(f64::MAX, f64::min),
        points().map(|point| point.0).fold(0.0, f64::max),
    );
    let highest = points().map(|point| point.1).fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d((least..most * 1.02).log_scale(), 0.0..highest * 1.1)?;
    chart
        .configure_mesh()
        .x_desc(grows)
        .x_label_formatter(&|at| format!("{at:.0}"))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .light_line_style(BLACK.mix(0.05))
        .draw()?;
    for Line { label, color, points } in lines {
        let style = ShapeStyle::from(color).stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style).point_size(3))?
            .label(*label)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::MiddleLeft)
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}
