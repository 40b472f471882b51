//! The page's text and tables.

use std::fmt::Write;

use crate::dataset::Treatment;
use crate::metric::Evaluation;
use crate::report::{ReportInput, chart};

/// Inputs shown in the table of what matters.
const INPUTS: usize = 25;

const STYLE: &str = "
:root{--ink:#1d2530;--soft:#5d6b7c;--line:#e2e7ee;--paper:#fff;--wash:#f6f8fb;--blue:#2563c9;--good:#137a4a;--bad:#b3341f}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9f1;--soft:#97a5b8;--line:#2b3442;--paper:#12171f;--wash:#19202a;--blue:#6ea3ff;--good:#55c98f;--bad:#ff8b74}}
*{box-sizing:border-box}body{margin:0;background:var(--wash);color:var(--ink);font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}
main{max-width:1060px;margin:0 auto;padding:32px 20px 64px}h1{font-size:28px;margin:0}h2{font-size:18px;margin:36px 0 12px}
.sub{color:var(--soft);margin:4px 0 20px}.card{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:18px 20px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px}.tile b{display:block;font-size:24px;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(280px,1fr));gap:12px}
.plots h3{margin:0 0 6px;font-size:14px}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{text-align:left;color:var(--soft);font-weight:600;font-size:13px}td,th{padding:6px 10px;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}.num{text-align:right;white-space:nowrap}tr.chosen td{font-weight:650}small{color:var(--soft)}
.verdict{display:inline-block;padding:2px 10px;border-radius:99px;color:#fff;font-weight:600;font-size:13px}.yes{background:var(--good)}.no{background:var(--bad)}
.mark-yes{color:var(--good)}.mark-no{color:var(--bad)}.plot{width:100%;height:auto}.plot text{font-size:11px;fill:var(--soft)}.plot .axis{font-size:12px}
.grid{stroke:var(--line)}.ideal{stroke:var(--soft);stroke-dasharray:4 4;fill:none}.curve{stroke:var(--blue);stroke-width:2;fill:none}
.whisker{stroke:var(--blue);opacity:.45;fill:none}.dot{fill:var(--blue)}.bar{display:inline-block;height:10px;border-radius:3px;background:var(--blue)}
.wide{width:45%}.scroll{overflow-x:auto}code{font-size:12px;word-break:break-all}";

const METRICS: [(&str, &str, &str); 7] = [
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
    ("lift_top_10", "lift, top 10 %", "rate of the outcome among the likeliest tenth over the rate of all"),
];

pub(super) fn page(input: &ReportInput<'_>) -> String {
    let title = escape(input.title);
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}: training report</title><style>{STYLE}</style></head><body><main>"
    );
    header(&mut out, input);
    let chosen = input.candidates.iter().find(|candidate| candidate.chosen);
    if let Some(chosen) = chosen {
        tiles(&mut out, &chosen.metrics);
        metrics(&mut out, &chosen.metrics);
        plots(&mut out, &chosen.metrics);
        lift(&mut out, &chosen.metrics);
    }
    candidates(&mut out, input);
    checks(&mut out, input);
    weights(&mut out, input);
    notes(&mut out, input);
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
        (Some(from), Some(to)) => format!(", {} to {}", day(&from.to_string()), day(&to.to_string())),
        _ => String::new(),
    };
    let _ = write!(
        out,
        "<h1>{} <span class=\"verdict {class}\">gate {word}</span></h1><p class=\"sub\">predicts {} · learnt from \
         {} rows{time} · {} held out{}</p><p class=\"card\">{}</p>",
        escape(input.title),
        escape(input.outcome),
        window.rows,
        window.holdout_rows,
        window.holdout_from.map_or(String::new(), |from| format!(" from {}", day(&from.to_string()))),
        escape(&input.gate.why),
    );
}

fn day(moment: &str) -> &str {
    moment.split('T').next().unwrap_or(moment)
}

fn tiles(out: &mut String, metrics: &Evaluation) {
    let value = |name: &str| metrics.value(name).unwrap_or(f64::NAN);
    let rate = 100.0 * metrics.positives.unwrap_or(0) as f64 / metrics.rows.max(1) as f64;
    let tiles = [
        (format!("{:.3}", value("auc")), "AUC"),
        (format!("{:.4}", value("log_loss")), "log loss"),
        (format!("{:.1} pp", 100.0 * value("ece")), "calibration error"),
        (format!("{:.1} ×", value("lift_top_10")), "lift in the top tenth"),
        (format!("{rate:.1} %"), "rate of the outcome"),
    ];
    out.push_str("<div class=\"tiles\">");
    for (figure, name) in tiles {
        let _ = write!(out, "<div class=\"card tile\"><b>{figure}</b><span>{name}</span></div>");
    }
    out.push_str("</div>");
}

fn metrics(out: &mut String, metrics: &Evaluation) {
    out.push_str(
        "<h2>How good it is, on rows it did not learn from</h2><div class=\"card scroll\"><table><tr><th>metric</th>\
         <th class=\"num\">value</th><th class=\"num\">95 % interval</th><th>meaning</th></tr>",
    );
    for (key, name, meaning) in METRICS {
        if let Some(estimate) = metrics.metrics.get(key) {
            let _ = write!(
                out,
                "<tr><td>{name}</td><td class=\"num\">{:.4}</td><td class=\"num\">{:.4} – {:.4}</td><td><small>{meaning}</small></td></tr>",
                estimate.value, estimate.low, estimate.high
            );
        }
    }
    out.push_str("</table></div>");
}

fn plots(out: &mut String, metrics: &Evaluation) {
    let Some(curves) = &metrics.curves else { return };
    let plots = [
        ("Does 80 % mean 8 of 10?", chart::calibration(&curves.calibration)),
        ("Telling one from the other", chart::roc(&curves.roc)),
        ("Calling the likeliest first", chart::gains(&curves.lift)),
    ];
    out.push_str("<h2>Plots</h2><div class=\"plots\">");
    for (title, svg) in plots {
        let _ = write!(out, "<div class=\"card\"><h3>{title}</h3>{svg}</div>");
    }
    out.push_str("</div>");
}

fn lift(out: &mut String, metrics: &Evaluation) {
    let Some(curves) = &metrics.curves else { return };
    out.push_str(
        "<h2>Lift by tenth</h2><div class=\"card scroll\"><table><tr><th>tenth</th><th class=\"num\">rows</th>\
         <th class=\"num\">with the outcome</th><th class=\"num\">lowest probability</th><th class=\"num\">lift</th>\
         <th class=\"num\">captured</th><th class=\"wide\"></th></tr>",
    );
    let most = curves.lift.iter().map(|bin| bin.lift).fold(1e-9, f64::max);
    for (at, bin) in curves.lift.iter().enumerate() {
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{:.1} %</td>\
             <td class=\"num\">{:.2}</td><td class=\"num\">{:.0} %</td><td>{}</td></tr>",
            at + 1,
            bin.rows,
            bin.positives,
            100.0 * bin.threshold,
            bin.lift,
            100.0 * bin.captured,
            chart::bar(bin.lift / most)
        );
    }
    out.push_str("</table></div>");
}

fn candidates(out: &mut String, input: &ReportInput<'_>) {
    out.push_str(
        "<h2>Candidates</h2><div class=\"card scroll\"><table><tr><th>candidate</th><th class=\"num\">log loss</th>\
         <th class=\"num\">AUC</th><th class=\"num\">ECE</th><th>settings</th></tr>",
    );
    for candidate in input.candidates {
        let value = |name: &str| candidate.metrics.value(name).unwrap_or(f64::NAN);
        let class = if candidate.chosen { "chosen" } else { "" };
        let _ = write!(
            out,
            "<tr class=\"{class}\"><td>{}</td><td class=\"num\">{:.4}</td><td class=\"num\">{:.4}</td>\
             <td class=\"num\">{:.4}</td><td><code>{}</code></td></tr>",
            escape(&candidate.name),
            value("log_loss"),
            value("auc"),
            value("ece"),
            escape(&candidate.settings.to_string())
        );
    }
    out.push_str("</table></div>");
}

fn checks(out: &mut String, input: &ReportInput<'_>) {
    out.push_str("<h2>The gate</h2><div class=\"card scroll\"><table>");
    for check in &input.gate.checks {
        let (class, word) = match (check.passed, check.decisive) {
            (true, _) => ("mark-yes", "yes"),
            (false, true) => ("mark-no", "no"),
            (false, false) => ("mark-no", "warning"),
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

fn weights(out: &mut String, input: &ReportInput<'_>) {
    let Some(most) = input.weights.first() else { return };
    out.push_str(
        "<h2>What matters</h2><div class=\"card scroll\"><table><tr><th>input</th><th class=\"num\">moves the log-odds by</th>\
         <th class=\"wide\"></th></tr>",
    );
    for weight in input.weights.iter().take(INPUTS) {
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"num\">{:.3}</td><td>{}</td></tr>",
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

fn notes(out: &mut String, input: &ReportInput<'_>) {
    out.push_str("<h2>Columns</h2><div class=\"card scroll\"><table><tr><th>column</th><th>read as</th><th>what was seen</th></tr>");
    let aside = |note: &&crate::dataset::ColumnNote| note.treatment == Treatment::SetAside;
    let (set_aside, kept): (Vec<_>, Vec<_>) = input.notes.iter().partition(aside);
    for note in set_aside.into_iter().chain(kept) {
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&note.column),
            note.treatment.words(),
            escape(&note.note)
        );
    }
    out.push_str("</table></div>");
}

/// Text that may stand in HTML.
fn escape(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::ColumnNote;
    use crate::gate::Gate;
    use crate::metric::{Scored, evaluate};
    use crate::report::InputWeight;
    use crate::trained::{CandidateResult, TrainingWindow};

    fn page_of(column: &str) -> String {
        let p: Vec<f64> = (0..400).map(|i| f64::from(i) / 400.0).collect();
        let y: Vec<f64> = (0..400).map(|i| f64::from(u8::from((i * 37) % 400 < i))).collect();
        let metrics = evaluate(Scored { probability: &p, label: &y, group: None }, 20, 1);
        let settings = serde_json::json!({ "trees": 3 });
        let chosen = CandidateResult { name: "boosting".into(), settings, metrics, chosen: true };
        let note = ColumnNote { column: column.into(), treatment: Treatment::SetAside, note: "an id".into() };
        let window =
            TrainingWindow { from: None, to: None, holdout_from: None, rows: 400, holdout_rows: 100 };
        page(&ReportInput {
            title: "win",
            outcome: "won",
            gate: &Gate::new("boosting", "it lost least", Vec::new()),
            candidates: &[chosen],
            window: &window,
            notes: &[note],
            weights: &[InputWeight { input: column.into(), size: 0.5 }],
            data_digest: "abc",
            seed: 7,
        })
    }

    #[test]
    fn the_page_stands_on_its_own_and_shows_every_part() {
        let page = page_of("customer");
        for part in
            ["log loss", "Does 80 % mean 8 of 10?", "Lift by tenth", "Candidates", "What matters", "Columns"]
        {
            assert!(page.contains(part), "{part}");
        }
        assert_eq!(page.matches("<svg").count(), 3);
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));
        assert!(!page.contains("NaN"));
    }

    #[test]
    fn names_from_the_data_cannot_write_html() {
        let page = page_of("<img src=x onerror=alert(1)>");
        assert!(!page.contains("<img") && page.contains("&lt;img"));
    }
}
