//! What matters, and what was done to each column.

use std::fmt::Write;

use crate::dataset::{ColumnNote, Treatment};
use crate::report::page::{escape, heading};
use crate::report::{ReportInput, chart};

/// Inputs shown.
const INPUTS: usize = 25;

pub(super) fn weights(out: &mut String, input: &ReportInput<'_>) {
    let Some(most) = input.weights.first() else { return };
    heading(out, "What matters", "How far each input moves the score on average, up or down, in log-odds.");
    out.push_str("<div class=\"card scroll\"><table>");
    for weight in input.weights.iter().take(INPUTS) {
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"num\">{:.3}</td><td class=\"wide\">{}</td></tr>",
            escape(&weight.input),
            weight.size,
            chart::bar(weight.size / most.size)
        );
    }
    out.push_str("</table>");
    if input.weights.len() > INPUTS {
        let _ = write!(out, "<p><small>and {} more</small></p>", input.weights.len() - INPUTS);
    }
    out.push_str("</div>");
}

pub(super) fn notes(out: &mut String, notes: &[ColumnNote]) {
    let aside = |note: &&ColumnNote| note.treatment == Treatment::SetAside;
    let (set_aside, kept): (Vec<_>, Vec<_>) = notes.iter().partition(aside);
    heading(out, "Columns", &format!("{} are read, {} are set aside.", kept.len(), set_aside.len()));
    out.push_str(
        "<div class=\"card scroll\"><table><tr><th>column</th><th>read as</th><th>what was seen</th></tr>",
    );
    for note in set_aside.into_iter().chain(kept) {
        let class = if note.treatment == Treatment::SetAside { "mark-warn" } else { "quiet" };
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"{class}\">{}</td><td>{}</td></tr>",
            escape(&note.column),
            note.treatment.words(),
            escape(&note.note)
        );
    }
    out.push_str("</table></div>");
}
