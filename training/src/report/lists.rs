//! The page of a recommender: its parts in the order in which they are read.

use std::fmt::Write;

use crate::metric::Evaluation;
use crate::report::figures::key;
use crate::report::page::{Head, begin, end, figure, header, heading, tiles};
use crate::report::quality::{Meanings, candidates, table};
use crate::report::reach::{Whose, by_known, by_length, by_place, by_selling};
use crate::report::{ListReport, chart, columns, trust};

/// Length of the lists that are measured.
const LENGTH: usize = 20;

const METRICS: &Meanings = &[
    ("ndcg@20", "NDCG@20", "hits count more the higher they stand; 1 is a list of hits alone"),
    ("recall@20", "recall@20", "share of what a user took up that stood in the list"),
    ("hit_rate@20", "hit rate@20", "share of users with at least one hit"),
    ("coverage@20", "coverage@20", "share of all items that anybody was shown"),
];

/// The whole page.
pub(super) fn page(report: &ListReport<'_>) -> String {
    let mut out = begin(report.title);
    header(
        &mut out,
        &Head { title: report.title, told: report.told, gate: report.gate, window: report.window },
    );
    let chosen = report.candidates.iter().find(|candidate| candidate.chosen).map(|chosen| &chosen.metrics);
    if let Some(metrics) = chosen {
        tiles(&mut out, &figures_of(metrics));
    }
    trust::gate(&mut out, report.gate);
    if !report.asked.is_empty() {
        plots(&mut out, report);
    }
    if let Some(metrics) = chosen {
        heading(
            &mut out,
            "How good it is",
            "For held-back users that had no say in how it was put together, with 95 % bootstrap intervals.",
        );
        table(&mut out, metrics, METRICS);
    }
    if !report.asked.is_empty() {
        users(&mut out, report);
        items(&mut out, report);
    }
    if !report.candidates.is_empty() {
        let lead = "Every component alone, what sells, and what answers are made by, in bold.";
        let metrics = [("ndcg@20", "NDCG@20"), ("recall@20", "recall@20"), ("coverage@20", "coverage@20")];
        candidates(&mut out, lead, &metrics, report.candidates);
    }
    columns::notes(&mut out, report.notes);
    end(out, report.data_digest, report.seed)
}

fn figures_of(metrics: &Evaluation) -> [(String, &'static str); 5] {
    let told = |name: &str, text: &dyn Fn(f64) -> String| figure(metrics, name, text);
    [
        (told("recall@20", &|x| format!("{x:.4}")), "recall@20"),
        (told("ndcg@20", &|x| format!("{x:.4}")), "NDCG@20"),
        (told("hit_rate@20", &|x| format!("{:.1} %", 100.0 * x)), "users with a hit"),
        (told("coverage@20", &|x| format!("{:.1} %", 100.0 * x)), "of all items shown to anybody"),
        (metrics.rows.to_string(), "users it is measured on"),
    ]
}

fn plots(out: &mut String, report: &ListReport<'_>) {
    let against = format!("{} this model {} what sells, for everybody", key("blue"), key("orange"));
    let whole = |x: f64| format!("{x:.0}");
    let both = |of: fn(&[crate::fit::recommender::Asked], Whose, usize) -> Vec<(f64, f64)>| {
        [Whose::Ours, Whose::Popular].map(|whose| of(report.asked, whose, LENGTH))
    };
    let (lengths, places) = (both(by_length), both(by_place));
    let drawn = |words: (&str, &str, &str), lines: &[Vec<(f64, f64)>; 2]| {
        let lines = [(lines[0].as_slice(), true), (lines[1].as_slice(), false)];
        chart::curves(words, (1.0, LENGTH as f64), &whole, &lines)
    };
    let plots = [
        (
            "Longer lists reach more",
            drawn(("recall by length", "length of the list", "share of what was taken up"), &lengths),
        ),
        (
            "Does the best stand first?",
            drawn(("hits by place", "place in the list", "users who took it up"), &places),
        ),
    ];
    heading(out, "At a glance", "All of it for users whose later purchases it did not know.");
    out.push_str("<div class=\"plots\">");
    for (title, svg) in plots {
        let _ = write!(out, "<div class=\"card\"><h3>{title}</h3>{svg}<p>{against}</p></div>");
    }
    out.push_str("</div>");
}

fn users(out: &mut String, report: &ListReport<'_>) {
    heading(out, "By what was known of them", "Users by how many items they had before.");
    out.push_str(
        "<div class=\"card scroll\"><table><tr><th>items before</th><th class=\"num\">users</th>\
         <th class=\"num\">recall@20</th><th class=\"num\">95 % interval</th><th class=\"num\">NDCG@20</th>\
         <th class=\"num\">recall of what sells</th></tr>",
    );
    for kind in by_known(report.asked, LENGTH, report.seed) {
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"num\">{}</td><td class=\"num\">{:.4}</td>\
             <td class=\"num\">{:.4} – {:.4}</td><td class=\"num\">{:.4}</td><td class=\"num\">{:.4}</td></tr>",
            kind.name,
            kind.users,
            kind.recall.value,
            kind.recall.low,
            kind.recall.high,
            kind.ndcg,
            kind.popular
        );
    }
    out.push_str("</table></div>");
}

fn items(out: &mut String, report: &ListReport<'_>) {
    heading(
        out,
        "By what sells",
        "Items by how often they were taken in all: is more shown than the best sellers?",
    );
    out.push_str(
        "<div class=\"card scroll\"><table><tr><th>items</th><th class=\"num\">how many</th>\
         <th class=\"num\">of what was taken up</th><th class=\"num\">of it shown before</th>\
         <th class=\"num\">of all places</th><th class=\"num\">if what sells were shown</th></tr>",
    );
    let kinds = by_selling(report.asked, report.counts, LENGTH);
    let all =
        |of: &dyn Fn(&crate::report::reach::Sold) -> usize| kinds.iter().map(of).sum::<usize>().max(1) as f64;
    let (taken, shown, popular) =
        (all(&|kind| kind.taken), all(&|kind| kind.shown), all(&|kind| kind.popular));
    for kind in &kinds {
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"num\">{}</td><td class=\"num\">{:.1} %</td><td class=\"num\">{:.1} %</td>\
             <td class=\"num\">{:.1} %</td><td class=\"num\">{:.1} %</td></tr>",
            kind.name,
            kind.items,
            100.0 * kind.taken as f64 / taken,
            100.0 * kind.found as f64 / kind.taken.max(1) as f64,
            100.0 * kind.shown as f64 / shown,
            100.0 * kind.popular as f64 / popular,
        );
    }
    out.push_str("</table></div>");
}
