//! The frame of every page, and the page of a probability model: its parts in the order in which they are read.

use std::fmt::Write;

use crate::gate::Gate;
use crate::metric::Evaluation;
use crate::report::figures;
use crate::report::slices::day;
use crate::report::{ReportInput, columns, quality, trust};
use crate::trained::TrainingWindow;

const STYLE: &str = include_str!("style.css");

/// The whole page of a probability model.
pub(super) fn page(input: &ReportInput<'_>) -> String {
    let mut out = begin(input.title);
    let told = format!("predicts {}", input.outcome);
    header(&mut out, &Head { title: input.title, told: &told, gate: input.gate, window: input.window });
    let chosen = input.candidates.iter().find(|candidate| candidate.chosen);
    if let Some(chosen) = chosen {
        tiles(&mut out, &figures_of(&chosen.metrics));
    }
    trust::leaks(&mut out, input);
    trust::gate(&mut out, input.gate);
    if let Some(chosen) = chosen {
        figures::plots(&mut out, input, &chosen.metrics);
        quality::metrics(&mut out, &chosen.metrics);
    }
    columns::weights(&mut out, input);
    quality::by_segment(&mut out, input);
    quality::over_time(&mut out, input);
    trust::drift(&mut out, input);
    let lead = "Every learner that was tried; the chosen one is in bold.";
    let metrics = [("log_loss", "log loss"), ("auc", "AUC"), ("ece", "ECE")];
    quality::candidates(&mut out, lead, &metrics, input.candidates);
    columns::notes(&mut out, input.notes);
    end(out, input.data_digest, input.seed)
}

/// A page up to its first heading.
pub(super) fn begin(title: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}: training report</title><style>{STYLE}</style></head><body><main>"
    )
}

/// The page with what its end says of the data.
pub(super) fn end(mut out: String, digest: &str, seed: u64) -> String {
    let _ = write!(
        out,
        "<p><small>Data <code>{}</code>, seed {seed}. The same data and seed give the same model.</small></p></main></body></html>",
        escape(digest),
    );
    out
}

/// What stands at the top of a page.
pub(super) struct Head<'a> {
    pub title: &'a str,
    /// What the model does, in a few words.
    pub told: &'a str,
    pub gate: &'a Gate,
    pub window: &'a TrainingWindow,
}

pub(super) fn header(out: &mut String, head: &Head<'_>) {
    let (class, word) = if head.gate.passed { ("yes", "passed") } else { ("no", "not passed") };
    let window = head.window;
    let time = match (window.from, window.to) {
        (Some(from), Some(to)) => format!(", {} to {}", day(from), day(to)),
        _ => String::new(),
    };
    let compared = head.gate.comparison.as_ref().map_or(String::new(), |comparison| {
        let mut words = comparison.words.clone();
        if let Some(first) = words.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        format!(" {}.", escape(&words))
    });
    let _ = write!(
        out,
        "<h1>{} <span class=\"verdict {class}\">gate {word}</span></h1><p class=\"sub\">{} · learnt from \
         {} rows{time} · {} held out{}</p><p class=\"card\">{}.{compared}</p>",
        escape(head.title),
        escape(head.told),
        window.rows,
        window.holdout_rows,
        window.holdout_from.map_or(String::new(), |from| format!(" from {}", day(from))),
        escape(&head.gate.why),
    );
}

/// The figures that tell most, with their names.
fn figures_of(metrics: &Evaluation) -> [(String, &'static str); 5] {
    let told = |name: &str, text: &dyn Fn(f64) -> String| figure(metrics, name, text);
    let rate = 100.0 * metrics.positives.unwrap_or(0) as f64 / metrics.rows.max(1) as f64;
    [
        (told("auc", &|x| format!("{x:.3}")), "AUC"),
        (told("log_loss", &|x| format!("{x:.4}")), "log loss"),
        (told("ece", &|x| format!("{:.1} pp", 100.0 * x)), "calibration error"),
        (told("lift_top_10", &|x| format!("{x:.1} ×")), "lift in the top tenth"),
        (format!("{rate:.1} %"), "rate of the outcome"),
    ]
}

/// A metric in words; a dash where it was not measured.
pub(super) fn figure(metrics: &Evaluation, name: &str, text: &dyn Fn(f64) -> String) -> String {
    metrics.value(name).filter(|value| value.is_finite()).map_or("–".to_owned(), text)
}

pub(super) fn tiles(out: &mut String, tiles: &[(String, &str)]) {
    out.push_str("<div class=\"tiles\">");
    for (figure, name) in tiles {
        let _ = write!(out, "<div class=\"card tile\"><b>{figure}</b><span>{name}</span></div>");
    }
    out.push_str("</div>");
}

/// A heading with what stands below it, in a sentence.
pub(super) fn heading(out: &mut String, title: &str, lead: &str) {
    let _ = write!(out, "<h2>{title}</h2><p class=\"lead\">{lead}</p>");
}

/// Text that may stand in HTML.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
