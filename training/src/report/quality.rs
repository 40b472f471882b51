//! How good the model is: its metrics, among some of the rows, over time, and beside the other candidates.

use std::fmt::Write;

use crate::metric::Evaluation;
use crate::report::figures::key;
use crate::report::page::{escape, figure, heading};
use crate::report::slices::{Slice, periods, segments};
use crate::report::{ReportInput, chart};
use crate::trained::CandidateResult;

/// Metrics with their words and what they mean.
pub(super) type Meanings = [(&'static str, &'static str, &'static str)];
const METRICS: &Meanings = &[
    ("log_loss", "log loss", "mean surprise in nats; less is better"),
    ("auc", "AUC", "chance that a row with the outcome scores above one without"),
    ("brier", "Brier score", "mean squared error of the probability"),
    ("ece", "ECE", "mean distance between predicted and observed rate, 15 bins of equal count"),
    (
        "ece_of_perfection_95",
        "ECE of perfection",
        "a perfect forecaster measures less in 95 of 100 cases on as many rows",
    ),
    ("calibration_slope", "calibration slope", "1 is right; below 1 is too sure"),
    ("calibration_intercept", "calibration intercept", "0 is right; below 0 is too high"),
    ("lift_top_10", "lift, top 10 %", "rate of the outcome among the likeliest tenth over the rate of all"),
];

pub(super) fn metrics(out: &mut String, metrics: &Evaluation) {
    heading(out, "How good it is", "On rows that it did not learn from, with 95 % bootstrap intervals.");
    table(out, metrics, METRICS);
}

/// Metrics in a table, with their intervals and what they mean.
pub(super) fn table(out: &mut String, metrics: &Evaluation, meanings: &Meanings) {
    out.push_str(
        "<div class=\"card scroll\"><table><tr><th>metric</th>\
         <th class=\"num\">value</th><th class=\"num\">95 % interval</th><th>meaning</th></tr>",
    );
    for (name, words, meaning) in meanings {
        if let Some(estimate) = metrics.metrics.get(*name).filter(|estimate| estimate.value.is_finite()) {
            let interval = match estimate.low == estimate.high {
                true => String::new(),
                false => format!("{:.4} – {:.4}", estimate.low, estimate.high),
            };
            let _ = write!(
                out,
                "<tr><td>{words}</td><td class=\"num\">{:.4}</td><td class=\"num\">{interval}</td>\
                 <td class=\"quiet\">{meaning}</td></tr>",
                estimate.value
            );
        }
    }
    out.push_str("</table></div>");
}

const SLICE_HEAD: &str = "<th class=\"num\">rows</th><th class=\"num\">observed</th>\
     <th class=\"num\">95 % interval</th><th class=\"num\">predicted</th><th class=\"num\">AUC</th>\
     <th class=\"num\">log loss</th><th></th></tr>";

fn row(out: &mut String, slice: &Slice) {
    let (class, off) = match slice.off() {
        true if slice.predicted > slice.high => ("mark-warn", "too high"),
        true => ("mark-warn", "too low"),
        false => ("", ""),
    };
    let auc = if slice.auc.is_finite() { format!("{:.3}", slice.auc) } else { "–".to_owned() };
    let _ = write!(
        out,
        "<tr><td>{}</td><td class=\"num\">{}</td><td class=\"num\">{:.1} %</td>\
         <td class=\"num\">{:.1} – {:.1} %</td><td class=\"num\">{:.1} %</td><td class=\"num\">{auc}</td>\
         <td class=\"num\">{:.4}</td><td class=\"{class}\">{off}</td></tr>",
        escape(&slice.name),
        slice.rows,
        100.0 * slice.observed,
        100.0 * slice.low,
        100.0 * slice.high,
        100.0 * slice.predicted,
        slice.log_loss,
    );
}

pub(super) fn by_segment(out: &mut String, input: &ReportInput<'_>) {
    let order: Vec<String> = input.weights.iter().map(|weight| weight.input.clone()).collect();
    let segments = segments(input.data, input.data_notes, input.held, &order);
    if segments.is_empty() {
        return;
    }
    heading(
        out,
        "By segment",
        "Rows held out, cut by the inputs that matter most. Of many slices one in twenty is off by chance.",
    );
    let _ = write!(out, "<div class=\"card scroll\"><table><tr><th>segment</th>{SLICE_HEAD}");
    for segment in &segments {
        let _ = write!(out, "<tr class=\"group\"><td colspan=\"8\">{}</td></tr>", escape(&segment.input));
        segment.slices.iter().for_each(|slice| row(out, slice));
    }
    out.push_str("</table></div>");
}

pub(super) fn over_time(out: &mut String, input: &ReportInput<'_>) {
    let periods = periods(input.data, input.held);
    if periods.len() < 2 {
        return;
    }
    heading(out, "Over time", "Consecutive parts of the rows held out.");
    let _ = write!(
        out,
        "<div class=\"card\">{}<p class=\"lead\">{} observed, with 95 % intervals {} predicted</p></div>",
        chart::over_time(&periods),
        key("blue"),
        key("orange")
    );
    let _ = write!(out, "<div class=\"card scroll\"><table><tr><th>period</th>{SLICE_HEAD}");
    periods.iter().for_each(|slice| row(out, slice));
    out.push_str("</table></div>");
}

/// Every candidate with some of its metrics, given as their names and words; the chosen one in bold.
pub(super) fn candidates(
    out: &mut String,
    lead: &str,
    metrics: &[(&str, &str)],
    candidates: &[CandidateResult],
) {
    heading(out, "Candidates", lead);
    out.push_str("<div class=\"card scroll\"><table><tr><th>candidate</th>");
    for (_, words) in metrics {
        let _ = write!(out, "<th class=\"num\">{words}</th>");
    }
    out.push_str("<th>settings</th></tr>");
    for candidate in candidates {
        let class = if candidate.chosen { "chosen" } else { "" };
        let _ = write!(out, "<tr class=\"{class}\"><td>{}</td>", escape(&candidate.name));
        for (name, _) in metrics {
            let value = figure(&candidate.metrics, name, &|value| format!("{value:.4}"));
            let _ = write!(out, "<td class=\"num\">{value}</td>");
        }
        let _ = write!(out, "<td><code>{}</code></td></tr>", escape(&candidate.settings.to_string()));
    }
    out.push_str("</table></div>");
}
