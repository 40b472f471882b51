//! The charts with their captions.

use std::fmt::Write;

use crate::metric::Evaluation;
use crate::report::curves::{Histogram, precision_recall};
use crate::report::page::heading;
use crate::report::{ReportInput, chart};

/// Points of a curve, and bins of the distribution.
const POINTS: usize = 200;
const BINS: usize = 25;

pub(super) fn plots(out: &mut String, input: &ReportInput<'_>, metrics: &Evaluation) {
    let Some(curves) = &metrics.curves else { return };
    let (p, y) = (&input.held.probability, &input.held_label());
    let rate = y.iter().sum::<f64>() / y.len().max(1) as f64;
    let spread = format!("{} with the outcome {} without; each adds up to 100 %", key("blue"), key("soft"));
    let plots = [
        (
            "Does 80 % mean 8 of 10?",
            chart::calibration(&curves.calibration),
            "ten bins of equally many rows, with 95 % intervals; the dashed line is perfection".to_owned(),
        ),
        (
            "Telling one from the other",
            chart::roc(&curves.roc),
            "ROC curve; the dashed line is chance".to_owned(),
        ),
        (
            "Precision and recall",
            chart::precision_recall(&precision_recall(p, y, POINTS), rate),
            "the dashed line is the rate of the outcome".to_owned(),
        ),
        ("How scores are spread", chart::distribution(&Histogram::of(p, y, BINS)), spread),
        ("Lift by tenth", chart::lift(&curves.lift), "the dashed line is the rate of all rows".to_owned()),
        (
            "Calling the likeliest first",
            chart::gains(&curves.lift),
            "share of all outcomes found; the dashed line is chance".to_owned(),
        ),
    ];
    heading(out, "At a glance", "All of it on rows that the model did not learn from.");
    out.push_str("<div class=\"plots\">");
    for (title, svg, caption) in plots {
        let _ = write!(out, "<div class=\"card\"><h3>{title}</h3>{svg}<p>{caption}</p></div>");
    }
    out.push_str("</div>");
}

/// A patch of a colour of the palette.
pub(super) fn key(colour: &str) -> String {
    format!("<span class=\"key\" style=\"background:var(--{colour})\"></span>")
}
