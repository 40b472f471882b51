//! The page: its frame, and its parts in the order in which they are read.

use std::fmt::Write;

use crate::metric::Evaluation;
use crate::report::figures;
use crate::report::slices::day;
use crate::report::{ReportInput, columns, quality, trust};

const STYLE: &str = include_str!("style.css");

/// The whole page.
pub(super) fn page(input: &ReportInput<'_>) -> String {
    let title = escape(input.title);
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}: training report</title><style>{STYLE}</style></head><body><main>"
    );
    header(&mut out, input);
    let chosen = input.candidates.iter().find(|candidate| candidate.chosen);
    if let Some(chosen) = chosen {
        tiles(&mut out, &chosen.metrics);
    }
    trust::leaks(&mut out, input);
    trust::gate(&mut out, input);
    if let Some(chosen) = chosen {
        figures::plots(&mut out, input, &chosen.metrics);
        quality::metrics(&mut out, &chosen.metrics);
    }
    columns::weights(&mut out, input);
    quality::by_segment(&mut out, input);
    quality::over_time(&mut out, input);
    trust::drift(&mut out, input);
    quality::candidates(&mut out, input);
    columns::notes(&mut out, input);
    let _ = write!(
        out,
        "<p><small>Data <code>{}</code>, seed {}. The same data and seed give the same model.</small></p></main></body></html>",
        escape(input.data_digest),
        input.seed
    );
    out
}

fn header(out: &mut String, input: &ReportInput<'_>) {
    let (class, word) = if input.gate.passed { ("yes", "passed") } else { ("no", "not passed") };
    let window = input.window;
    let time = match (window.from, window.to) {
        (Some(from), Some(to)) => format!(", {} to {}", day(from), day(to)),
        _ => String::new(),
    };
    let compared = input.gate.comparison.as_ref().map_or(String::new(), |comparison| {
        let mut words = comparison.words.clone();
        if let Some(first) = words.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        format!(" {}.", escape(&words))
    });
    let _ = write!(
        out,
        "<h1>{} <span class=\"verdict {class}\">gate {word}</span></h1><p class=\"sub\">predicts {} · learnt from \
         {} rows{time} · {} held out{}</p><p class=\"card\">{}.{compared}</p>",
        escape(input.title),
        escape(input.outcome),
        window.rows,
        window.holdout_rows,
        window.holdout_from.map_or(String::new(), |from| format!(" from {}", day(from))),
        escape(&input.gate.why),
    );
}

fn tiles(out: &mut String, metrics: &Evaluation) {
    let value = |name: &str| metrics.value(name).filter(|value| value.is_finite());
    let told = |name: &str, text: &dyn Fn(f64) -> String| value(name).map_or("–".to_owned(), text);
    let rate = 100.0 * metrics.positives.unwrap_or(0) as f64 / metrics.rows.max(1) as f64;
    let tiles = [
        (told("auc", &|x| format!("{x:.3}")), "AUC"),
        (told("log_loss", &|x| format!("{x:.4}")), "log loss"),
        (told("ece", &|x| format!("{:.1} pp", 100.0 * x)), "calibration error"),
        (told("lift_top_10", &|x| format!("{x:.1} ×")), "lift in the top tenth"),
        (format!("{rate:.1} %"), "rate of the outcome"),
    ];
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
