//! The charts, drawn by plotters as SVG that stands in the page itself.
//!
//! Colours are those of light paper; the page's style sheet turns each of them into the dark one where that is
//! wanted (`style.css` selects by these very values).

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::metric::{CalibrationBin, LiftBin, RocPoint};
use crate::report::curves::{Histogram, PrPoint};
use crate::report::slices::Slice;

/// The palette of `style.css`.
const INK: RGBColor = RGBColor(0x5d, 0x6b, 0x7c);
const GRID: RGBColor = RGBColor(0xe2, 0xe7, 0xee);
const BLUE: RGBColor = RGBColor(0x25, 0x63, 0xc9);
const ORANGE: RGBColor = RGBColor(0xd9, 0x72, 0x1e);

/// Width and height of a square chart and of a wide one, in pixels.
const SQUARE: (u32, u32) = (360, 340);
const WIDE: (u32, u32) = (720, 300);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failed<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;
type Axes<'b, 'a> = ChartContext<
    'b,
    SVGBackend<'a>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

/// What stands along the axes of a chart.
struct Frame<'a> {
    across: &'a str,
    up: &'a str,
    /// The ranges shown.
    x: (f64, f64),
    y: (f64, f64),
    /// What is written at a value of the x axis, and of the y axis.
    x_words: &'a dyn Fn(f64) -> String,
    y_words: &'a dyn Fn(f64) -> String,
    /// Labels along the x axis; 0 for none, and no lines.
    x_labels: usize,
}

fn percent(x: f64) -> String {
    format!("{:.0} %", 100.0 * x)
}

/// Draws into a string; a chart that cannot be drawn is left out, the figures stand in the tables as well.
fn draw(size: (u32, u32), label: &str, paint: impl Fn(&Area<'_>) -> Result<(), String>) -> String {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        if paint(&area).is_err() || area.present().is_err() {
            return String::new();
        }
    }
    // Inline SVG needs no namespace, and the page's width decides its size.
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let (width, height) = size;
    format!("<svg class=\"plot\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">{body}")
}

fn told(failed: Failed<'_>) -> String {
    failed.to_string()
}

fn axes<'b, 'a>(area: &'b Area<'a>, frame: &Frame<'_>) -> Result<Axes<'b, 'a>, String> {
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_left(4)
        .margin_right(26)
        .x_label_area_size(44)
        .y_label_area_size(68)
        .build_cartesian_2d(frame.x.0..frame.x.1, frame.y.0..frame.y.1)
        .map_err(told)?;
    let text = ("sans-serif", 12).into_font().color(&INK);
    let words = (|x: &f64| (frame.x_words)(*x), |y: &f64| (frame.y_words)(*y));
    let mut mesh = chart.configure_mesh();
    if frame.x_labels == 0 {
        mesh.disable_x_mesh();
    }
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .label_style(text.clone())
        .axis_desc_style(text)
        .x_desc(frame.across)
        .y_desc(frame.up)
        .x_labels(frame.x_labels)
        .y_labels(6)
        .x_label_formatter(&words.0)
        .y_label_formatter(&words.1)
        .draw()
        .map_err(told)?;
    Ok(chart)
}

fn share<'a>(across: &'a str, up: &'a str) -> Frame<'a> {
    Frame { across, up, x: (0.0, 1.0), y: (0.0, 1.0), x_words: &percent, y_words: &percent, x_labels: 6 }
}

fn line(
    chart: &mut Axes<'_, '_>,
    points: Vec<(f64, f64)>,
    colour: RGBColor,
    width: u32,
) -> Result<(), String> {
    chart.draw_series(LineSeries::new(points, colour.stroke_width(width))).map_err(told)?;
    Ok(())
}

fn dashed(chart: &mut Axes<'_, '_>, from: (f64, f64), to: (f64, f64)) -> Result<(), String> {
    let points = [from, to].into_iter();
    chart.draw_series(DashedLineSeries::new(points, 4, 4, INK.stroke_width(1))).map_err(told)?;
    Ok(())
}

/// Intervals and dots of rates.
fn rates(chart: &mut Axes<'_, '_>, rates: &[(f64, f64, f64, f64)]) -> Result<(), String> {
    for (x, rate, low, high) in rates {
        let whisker = PathElement::new(vec![(*x, *low), (*x, *high)], BLUE.mix(0.5).stroke_width(2));
        chart.draw_series(std::iter::once(whisker)).map_err(told)?;
        chart.draw_series(std::iter::once(Circle::new((*x, *rate), 4, BLUE.filled()))).map_err(told)?;
    }
    Ok(())
}

/// Observed against predicted rates, with 95 % intervals; the diagonal is perfection.
pub(super) fn calibration(bins: &[CalibrationBin]) -> String {
    draw(SQUARE, "observed against predicted rates", |area| {
        let mut chart = axes(area, &share("predicted", "observed"))?;
        dashed(&mut chart, (0.0, 0.0), (1.0, 1.0))?;
        line(&mut chart, bins.iter().map(|bin| (bin.predicted, bin.observed)).collect(), BLUE, 1)?;
        let bins: Vec<_> = bins.iter().map(|bin| (bin.predicted, bin.observed, bin.low, bin.high)).collect();
        rates(&mut chart, &bins)
    })
}

/// The ROC curve; the diagonal is chance.
pub(super) fn roc(points: &[RocPoint]) -> String {
    draw(SQUARE, "ROC curve", |area| {
        let mut chart =
            axes(area, &share("called among those without the outcome", "called among those with it"))?;
        dashed(&mut chart, (0.0, 0.0), (1.0, 1.0))?;
        line(
            &mut chart,
            points.iter().map(|point| (point.false_positive, point.true_positive)).collect(),
            BLUE,
            2,
        )
    })
}

/// Precision against recall; the level line is the rate of the outcome.
pub(super) fn precision_recall(points: &[PrPoint], rate: f64) -> String {
    draw(SQUARE, "precision and recall", |area| {
        let mut chart =
            axes(area, &share("outcomes found (recall)", "right among those called (precision)"))?;
        dashed(&mut chart, (0.0, rate), (1.0, rate))?;
        line(&mut chart, points.iter().map(|point| (point.recall, point.precision)).collect(), BLUE, 2)
    })
}

/// Share of all outcomes found by calling the likeliest rows first; the diagonal is chance.
pub(super) fn gains(bins: &[LiftBin]) -> String {
    let all: usize = bins.iter().map(|bin| bin.rows).sum();
    let mut called = 0;
    let points = bins.iter().map(|bin| {
        called += bin.rows;
        (called as f64 / all.max(1) as f64, bin.captured)
    });
    let points: Vec<(f64, f64)> = std::iter::once((0.0, 0.0)).chain(points).collect();
    draw(SQUARE, "outcomes captured", |area| {
        let mut chart = axes(area, &share("rows called, likeliest first", "outcomes captured"))?;
        dashed(&mut chart, (0.0, 0.0), (1.0, 1.0))?;
        line(&mut chart, points.clone(), BLUE, 2)
    })
}

/// Lift of each tenth, the likeliest first, as bars; the level line is the rate of all.
pub(super) fn lift(bins: &[LiftBin]) -> String {
    let most = bins.iter().map(|bin| bin.lift).fold(1.0, f64::max) * 1.1;
    let times = |y: f64| format!("{y:.1} ×");
    let tenth = |x: f64| format!("{x:.0}");
    let frame = Frame {
        x: (0.4, bins.len() as f64 + 0.6),
        y: (0.0, most),
        x_words: &tenth,
        y_words: &times,
        x_labels: bins.len(),
        ..share("tenth of the rows, likeliest first", "rate over that of all")
    };
    draw(SQUARE, "lift by tenth", |area| {
        let mut chart = axes(area, &frame)?;
        let bar = |(at, bin): (usize, &LiftBin)| {
            Rectangle::new([(at as f64 + 0.62, 0.0), (at as f64 + 1.38, bin.lift)], BLUE.filled())
        };
        chart.draw_series(bins.iter().enumerate().map(bar)).map_err(told)?;
        dashed(&mut chart, (0.4, 1.0), (bins.len() as f64 + 0.6, 1.0))
    })
}

/// Probabilities of rows with the outcome and of those without, each as shares of their own kind.
pub(super) fn distribution(histogram: &Histogram) -> String {
    let most = histogram.with.iter().chain(&histogram.without).copied().fold(0.01, f64::max) * 1.08;
    let frame = Frame { y: (0.0, most), ..share("probability", "share of rows") };
    let bins = histogram.with.len() as f64;
    draw(SQUARE, "distribution of scores", |area| {
        let mut chart = axes(area, &frame)?;
        for (shares, colour) in [(&histogram.without, INK), (&histogram.with, BLUE)] {
            let bar = |(at, share): (usize, &f64)| {
                Rectangle::new(
                    [(at as f64 / bins, 0.0), ((at as f64 + 1.0) / bins, *share)],
                    colour.mix(0.45).filled(),
                )
            };
            chart.draw_series(shares.iter().enumerate().map(bar)).map_err(told)?;
        }
        Ok(())
    })
}

/// Observed rates with intervals, and what was predicted, period by period.
pub(super) fn over_time(periods: &[Slice]) -> String {
    let rated = periods.iter().flat_map(|period| [period.high, period.predicted]);
    let most = (rated.fold(0.05, f64::max) * 1.1).min(1.0);
    let frame = Frame { x: (0.0, periods.len() as f64), y: (0.0, most), x_labels: 0, ..share("", "rate") };
    let middle = |at: usize| at as f64 + 0.5;
    draw(WIDE, "observed and predicted rates over time", |area| {
        let mut chart = axes(area, &frame)?;
        let predicted = periods.iter().enumerate().map(|(at, period)| (middle(at), period.predicted));
        line(&mut chart, predicted.collect(), ORANGE, 2)?;
        let observed: Vec<_> = periods
            .iter()
            .enumerate()
            .map(|(at, period)| (middle(at), period.observed, period.low, period.high))
            .collect();
        rates(&mut chart, &observed)?;
        let style = ("sans-serif", 12).into_font().color(&INK).pos(plotters::style::text_anchor::Pos::new(
            plotters::style::text_anchor::HPos::Center,
            plotters::style::text_anchor::VPos::Top,
        ));
        for (at, period) in periods.iter().enumerate() {
            let (x, y) = chart.backend_coord(&(middle(at), 0.0));
            area.draw_text(&period.short, &style, (x, y + 8)).map_err(told)?;
        }
        Ok(())
    })
}

/// A curve with its colour: blue for what the page is about, orange for what it is held against.
pub(super) type Curve<'a> = (&'a [(f64, f64)], bool);

/// Curves over one another. `across` goes from the first to the last of `x`, `up` from 0 to the highest point.
pub(super) fn curves(
    (label, across, up): (&str, &str, &str),
    x: (f64, f64),
    words: &dyn Fn(f64) -> String,
    lines: &[Curve<'_>],
) -> String {
    let most = lines.iter().flat_map(|(points, _)| points.iter().map(|(_, y)| *y)).fold(0.0, f64::max);
    let frame = Frame {
        x,
        y: (0.0, (most * 1.1).max(1e-3)),
        x_words: words,
        x_labels: 5,
        y_words: &fine,
        ..share(across, up)
    };
    draw(SQUARE, label, |area| {
        let mut chart = axes(area, &frame)?;
        for (points, about) in lines {
            line(&mut chart, points.to_vec(), if *about { BLUE } else { ORANGE }, 2)?;
        }
        Ok(())
    })
}

/// Per cent with a digit behind the point where that tells something.
fn fine(x: f64) -> String {
    if x.abs() < 0.1 { format!("{:.1} %", 100.0 * x) } else { percent(x) }
}

/// A bar of a table cell, `share` (0 to 1) of the cell wide.
pub(super) fn bar(share: f64) -> String {
    format!("<span class=\"bar\" style=\"width:{:.1}%\"></span>", 100.0 * share.clamp(0.0, 1.0))
}
