//! What speaks for and against it: the gate's checks, columns that know the outcome, drift.

use std::fmt::Write;

use crate::drift::Shift;
use crate::gate::Gate;
use crate::report::ReportInput;
use crate::report::page::{escape, heading};

/// Stable features shown after those that have shifted.
const STABLE: usize = 10;

pub(super) fn leaks(out: &mut String, input: &ReportInput<'_>) {
    if input.leaks.is_empty() {
        return;
    }
    let columns = if input.leaks.len() == 1 { "column seems" } else { "columns seem" };
    let _ = write!(
        out,
        "<div class=\"card alarm scroll\" style=\"margin-top:20px\"><h2>{} {columns} to know the outcome</h2>\
         <p class=\"lead\">Facts that were filled, changed or stamped when the outcome was known are not there when a \
         live row is scored. Leave out what is not known in time; keep what is.</p>\
         <table><tr><th>column</th><th class=\"num\">AUC alone</th><th>why</th></tr>",
        input.leaks.len()
    );
    for leak in input.leaks {
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"num\">{:.3}</td><td>{}</td></tr>",
            escape(&leak.column),
            leak.auc_alone,
            escape(&leak.words())
        );
    }
    out.push_str("</table></div>");
}

pub(super) fn gate(out: &mut String, gate: &Gate) {
    heading(out, "The gate", "What was asked before it may go live. A warning alone does not stop it.");
    out.push_str("<div class=\"card scroll\"><table>");
    for check in &gate.checks {
        let (class, word) = match (check.passed, check.decisive) {
            (true, _) => ("mark-yes", "yes"),
            (false, true) => ("mark-no", "no"),
            (false, false) => ("mark-warn", "warning"),
        };
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"{class}\">{word}</td><td>{}</td></tr>",
            escape(&check.name),
            escape(&check.detail)
        );
    }
    out.push_str("</table></div>");
}

pub(super) fn drift(out: &mut String, input: &ReportInput<'_>) {
    let Some(drift) = input.drift else { return };
    let shifted = drift.shifted().count();
    let lead = format!(
        "{} latest rows against {} learnt from: {shifted} of {} features have shifted. PSI says how much (0.1 is \
         moderate, 0.25 large), the test how surely, corrected for the number of features.",
        drift.rows_latest,
        drift.rows_before,
        drift.features.len()
    );
    heading(out, "Drift", &lead);
    out.push_str(
        "<div class=\"card scroll\"><table><tr><th>feature</th><th class=\"num\">PSI</th><th>shift</th><th>test</th>\
         <th class=\"num\">statistic</th><th class=\"num\">p, corrected</th><th class=\"num\">missing before</th>\
         <th class=\"num\">latest</th></tr>",
    );
    for feature in drift.features.iter().take(shifted + STABLE) {
        let class = match feature.shift {
            Shift::Stable => "quiet",
            Shift::Moderate => "mark-warn",
            Shift::Large => "mark-no",
        };
        let p = if feature.p_corrected < 1e-4 {
            "< 0.0001".to_owned()
        } else {
            format!("{:.4}", feature.p_corrected)
        };
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"num\">{:.3}</td><td class=\"{class}\">{}</td><td class=\"quiet\">{}</td>\
             <td class=\"num\">{:.3}</td><td class=\"num\">{p}</td><td class=\"num\">{:.1} %</td>\
             <td class=\"num\">{:.1} %</td></tr>",
            escape(&feature.feature),
            feature.psi,
            feature.shift.words(),
            feature.test.words(),
            feature.statistic,
            100.0 * feature.missing_before,
            100.0 * feature.missing_latest,
        );
    }
    out.push_str("</table>");
    let hidden = drift.features.len().saturating_sub(shifted + STABLE);
    if hidden > 0 {
        let _ = write!(out, "<p><small>and {hidden} more that are stable</small></p>");
    }
    out.push_str("</div>");
}
