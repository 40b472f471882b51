//! Charts as inline SVG: a square plot with axes from 0 to 1, and bars.

use std::fmt::Write;

use crate::metric::{CalibrationBin, LiftBin, RocPoint};

/// Side of the plot area, in pixels.
const SIDE: f64 = 260.0;
/// Room left of it and below it for the axes.
const MARGIN: f64 = 44.0;

/// A square plot being drawn.
struct Plot {
    svg: String,
}

impl Plot {
    fn new(label: &str, across: &str, up: &str) -> Self {
        let size = SIDE + MARGIN + 16.0;
        let mut svg =
            format!("<svg viewBox=\"0 0 {size} {size}\" role=\"img\" aria-label=\"{label}\" class=\"plot\">");
        for step in 0..=5 {
            let share = f64::from(step) / 5.0;
            let (x, y) = place(share, share);
            let (left, bottom) = place(0.0, 0.0);
            let (right, top) = place(1.0, 1.0);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{top:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>\
                 <line class=\"grid\" x1=\"{left:.1}\" y1=\"{y:.1}\" x2=\"{right:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{:.0}</text>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0}</text>",
                bottom + 16.0,
                share * 100.0,
                left - 7.0,
                y + 4.0,
                share * 100.0,
            );
        }
        let (middle, bottom) = place(0.5, 0.0);
        let (left, centre) = place(0.0, 0.5);
        let turn = left - 32.0;
        let _ = write!(
            svg,
            "<text class=\"axis\" x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{across}</text>\
             <text class=\"axis\" x=\"{turn:.1}\" y=\"{centre:.1}\" text-anchor=\"middle\" \
             transform=\"rotate(-90 {turn:.1} {centre:.1})\">{up}</text>",
            bottom + 34.0,
        );
        Self { svg }
    }

    fn line(&mut self, class: &str, points: impl Iterator<Item = (f64, f64)>) {
        let points: Vec<String> = points
            .map(|(x, y)| {
                let (x, y) = place(x, y);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        let _ = write!(self.svg, "<polyline class=\"{class}\" points=\"{}\"/>", points.join(" "));
    }

    fn diagonal(&mut self) {
        self.line("ideal", [(0.0, 0.0), (1.0, 1.0)].into_iter());
    }

    fn finish(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }
}

/// Pixels of a point in 0..=1 by 0..=1.
fn place(x: f64, y: f64) -> (f64, f64) {
    (MARGIN + x * SIDE, 10.0 + (1.0 - y) * SIDE)
}

/// Observed against predicted rates, with 95 % intervals; the diagonal is perfection.
pub(super) fn calibration(bins: &[CalibrationBin]) -> String {
    let mut plot = Plot::new("observed against predicted rates", "predicted, %", "observed, %");
    plot.diagonal();
    for bin in bins {
        plot.line("whisker", [(bin.predicted, bin.low), (bin.predicted, bin.high)].into_iter());
    }
    plot.line("curve", bins.iter().map(|bin| (bin.predicted, bin.observed)));
    for bin in bins {
        let (x, y) = place(bin.predicted, bin.observed);
        let _ = write!(
            plot.svg,
            "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"><title>{} rows: predicted {:.1} %, \
             observed {:.1} % [{:.1}, {:.1}]</title></circle>",
            bin.rows,
            100.0 * bin.predicted,
            100.0 * bin.observed,
            100.0 * bin.low,
            100.0 * bin.high,
        );
    }
    plot.finish()
}

/// The ROC curve; the diagonal is chance.
pub(super) fn roc(points: &[RocPoint]) -> String {
    let mut plot = Plot::new("ROC curve", "without the outcome, called, %", "with the outcome, called, %");
    plot.diagonal();
    plot.line("curve", points.iter().map(|point| (point.false_positive, point.true_positive)));
    plot.finish()
}

/// Share of all outcomes found by calling the likeliest rows first; the diagonal is chance.
pub(super) fn gains(bins: &[LiftBin]) -> String {
    let mut plot = Plot::new("outcomes captured", "rows called, likeliest first, %", "outcomes captured, %");
    plot.diagonal();
    let all: usize = bins.iter().map(|bin| bin.rows).sum();
    let mut called = 0;
    let points = bins.iter().map(|bin| {
        called += bin.rows;
        (called as f64 / all.max(1) as f64, bin.captured)
    });
    plot.line("curve", std::iter::once((0.0, 0.0)).chain(points));
    plot.finish()
}

/// A bar of a table cell, `share` (0 to 1) of the cell wide.
pub(super) fn bar(share: f64) -> String {
    format!("<span class=\"bar\" style=\"width:{:.1}%\"></span>", 100.0 * share.clamp(0.0, 1.0))
}
