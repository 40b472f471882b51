//! The page, of a made-up model.

use scorehouse_features::time::Timestamp;

use super::page::page;
use super::slices::{periods, segments};
use super::*;
use crate::dataset::{Column, Treatment, screen};
use crate::gate::{Check, Comparison, Verdict};
use crate::leak::LeakSign;
use crate::metric::{Estimate, Scored, evaluate};

const ROWS: usize = 400;

/// Rows over 40 days with a category and a number that follows the probability.
fn data(column: &str) -> (Dataset, Held) {
    let p: Vec<f64> = (0..ROWS).map(|i| (i * 7 % ROWS) as f64 / ROWS as f64).collect();
    let label =
        (0..ROWS).map(|i| f64::from(u8::from(((i * 37) % ROWS) as f64 / (ROWS as f64) < p[i]))).collect();
    let as_of: Vec<Timestamp> = (0..ROWS as i64).map(|i| Timestamp(i / 10 * 86_400_000_000)).collect();
    let columns = vec![
        Column::float(column, p.clone()),
        Column::text("plan", (0..ROWS).map(|i| Some(if i % 3 == 0 { "basic" } else { "<b>gold" }))),
    ];
    let held = Held { rows: (0..ROWS as u32).collect(), probability: p };
    let known_at = Some(as_of.clone());
    (Dataset { rows: ROWS, columns, label, known_at, as_of, ..Dataset::default() }, held)
}

fn page_of(column: &str) -> String {
    let (data, held) = data(column);
    let metrics = evaluate(Scored { probability: &held.probability, label: &data.label, group: None }, 20, 1);
    let settings = serde_json::json!({ "trees": 3 });
    let chosen = CandidateResult { name: "boosting".into(), settings, metrics, chosen: true };
    let data_notes = screen(&data.columns, data.rows);
    let note = ColumnNote { column: column.into(), treatment: Treatment::SetAside, note: "an id".into() };
    let split = crate::split::Split {
        train: (0..200).collect(),
        holdout: (200..400).collect(),
        from: Some(Timestamp(1)),
    };
    let drift = crate::drift::find_drift(&data, &data_notes, &split);
    let comparison = Comparison {
        against: "the champion (version 3)".into(),
        rows: 400,
        difference: Some(Estimate { value: -0.1, low: -0.2, high: -0.05 }),
        verdict: Verdict::Better,
        words: format!("it is better than {column}"),
    };
    let check = Check { name: "calibrated".into(), passed: false, decisive: false, detail: column.into() };
    let sign = LeakSign::TooGood { detail: format!("{column} tells all") };
    page(&ReportInput {
        title: "win",
        outcome: "won",
        gate: &Gate::new("boosting", "it lost least", vec![check]).with(None, Some(comparison)),
        candidates: &[chosen],
        window: &TrainingWindow { from: None, to: None, holdout_from: None, rows: ROWS, holdout_rows: 100 },
        notes: &[note],
        weights: &[
            InputWeight { input: column.into(), size: 0.5 },
            InputWeight { input: "plan".into(), size: 0.1 },
        ],
        leaks: &[LeakWarning { column: column.into(), signs: vec![sign], auc_alone: 0.99 }],
        drift: drift.as_ref(),
        held: &held,
        data: &data,
        data_notes: &data_notes,
        data_digest: "abc",
        seed: 7,
    })
}

#[test]
fn the_page_stands_on_its_own_and_shows_every_part() {
    let page = page_of("customer");
    for part in [
        "log loss",
        "Does 80 % mean 8 of 10?",
        "ROC curve",
        "Precision and recall",
        "How scores are spread",
        "Lift by tenth",
        "Candidates",
        "What matters",
        "By segment",
        "Over time",
        "1 column seems to know the outcome",
        "customer tells all",
        "Drift",
        "The gate",
        "It is better than customer",
        "Columns",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<svg").count(), 7);
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

#[test]
fn every_colour_of_the_charts_has_a_dark_one() {
    let page = page_of("customer");
    let (style, body) = page.split_once("</style>").unwrap();
    for attribute in ["fill=\"#", "stroke=\"#"] {
        for (at, _) in body.match_indices(attribute) {
            let colour = &body[at..at + attribute.len() + 7];
            assert!(style.contains(&format!("[{colour}]")), "{colour}");
        }
    }
}

#[test]
fn names_from_the_data_cannot_write_html() {
    let page = page_of("<img src=x onerror=alert(1)>");
    assert!(!page.contains("<img") && page.contains("&lt;img"));
    assert!(!page.contains("<b>gold") && page.contains("&lt;b&gt;gold"));
}

#[test]
fn segments_and_periods_cut_every_row_once() {
    let (data, held) = data("share");
    let notes = screen(&data.columns, data.rows);
    let segments = segments(&data, &notes, &held, &["plan".to_owned(), "share".to_owned()]);
    assert_eq!(segments.iter().map(|s| s.input.as_str()).collect::<Vec<_>>(), ["plan", "share"]);
    for segment in &segments {
        assert_eq!(segment.slices.iter().map(|slice| slice.rows).sum::<usize>(), ROWS);
        assert!(
            segment.slices.iter().all(|slice| slice.low <= slice.observed && slice.observed <= slice.high)
        );
    }
    assert_eq!(segments[1].slices.len(), 4);
    let periods = periods(&data, &held);
    assert_eq!(periods.iter().map(|slice| slice.rows).sum::<usize>(), ROWS);
    assert_eq!((periods.len(), periods[0].name.as_str()), (8, "1970-01-01 to 1970-01-05"));
}

fn list_page(name: &str, asked: &[Asked]) -> String {
    let estimate = |value: f64| Estimate { value, low: value - 0.01, high: value + 0.01 };
    let metrics =
        ["ndcg@20", "recall@20", "hit_rate@20", "coverage@20"].map(|name| (name.to_owned(), estimate(0.25)));
    let metrics =
        crate::metric::Evaluation { rows: 60, metrics: metrics.into_iter().collect(), ..Default::default() };
    let settings = serde_json::json!({ "components": [name] });
    let chosen = CandidateResult { name: name.into(), settings, metrics, chosen: true };
    let check =
        Check { name: "better than popularity".into(), passed: true, decisive: true, detail: name.into() };
    let note = ColumnNote { column: name.into(), treatment: Treatment::ManyLevels, note: "60 users".into() };
    list_html(&ListReport {
        title: name,
        told: &format!("suggests {name} for customers"),
        gate: &Gate::new("blend", "the best lists", vec![check]),
        candidates: &[chosen],
        window: &TrainingWindow { from: None, to: None, holdout_from: None, rows: ROWS, holdout_rows: 100 },
        notes: &[note],
        asked,
        counts: &[9, 8, 7, 6, 5],
        data_digest: "abc",
        seed: 1,
    })
}

#[test]
fn the_page_of_a_recommender_stands_on_its_own() {
    let one = |user: u32| Asked { before: 2, taken: vec![user % 5], shown: vec![3, 4], popular: vec![0, 1] };
    let asked: Vec<Asked> = (0..60).map(one).collect();
    let page = list_page("<img src=x onerror=alert(1)>", &asked);
    for part in [
        "gate passed",
        "recall@20",
        "At a glance",
        "By what was known of them",
        "By what sells",
        "Candidates",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<svg").count(), 2);
    assert!(!page.contains("<img") && page.contains("&lt;img"));
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));
    let unasked = list_page("upsell", &[]);
    assert!(
        unasked.contains("gate passed") && !unasked.contains("<svg"),
        "too few users leave the figures out"
    );
}
