//! Latency against rate as an SVG.

use std::path::Path;

use plotters::prelude::*;

use crate::sweep::Point;

const SIZE: (u32, u32) = (800, 480);
const CEILING: RGBColor = RGBColor(120, 130, 140);
const POSTHORN: RGBColor = RGBColor(200, 90, 20);

/// Draws p50 and p99 of each system over the rate, latency on a logarithmic axis.
pub(crate) fn latency(path: &Path, points: &[Point]) -> anyhow::Result<()> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let fastest = points.iter().map(|point| point.rate).fold(0.0, f64::max);
    let slowest = points.iter().map(|point| point.latency_ms.p99).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&root)
        .caption("From due to received, one webhook, 512-byte events", ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..fastest * 1.02, (0.5..slowest * 1.5).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("events per second")
        .y_desc("milliseconds (logarithmic)")
        .x_label_formatter(&|rate| format!("{rate:.0}"))
        .y_label_formatter(&|millis| format!("{millis}"))
        .light_line_style(BLACK.mix(0.05))
        .draw()?;
    for (system, color) in [("ceiling", CEILING), ("posthorn", POSTHORN)] {
        for (quantile, width) in [("p50", 1), ("p99", 3)] {
            let value =
                |point: &Point| if quantile == "p50" { point.latency_ms.p50 } else { point.latency_ms.p99 };
            let line: Vec<_> = points
                .iter()
                .filter(|point| point.system == system)
                .map(|point| (point.rate, value(point)))
                .collect();
            let style = ShapeStyle::from(&color).stroke_width(width);
            chart
                .draw_series(LineSeries::new(line, style))?
                .label(format!("{system} {quantile}"))
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 24, y)], style));
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}
