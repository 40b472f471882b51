//! The table of how good freshly trained models are, on rows they were not fitted on.

use scorehouse_training::{Estimate, Evaluation};

use crate::cli::output::{count, table};
use crate::cli::train::TrainedLine;

const PROBABILITY: [(&str, &str); 6] = [
    ("log loss", "log_loss"),
    ("AUC", "auc"),
    ("Brier", "brier"),
    ("ECE", "ece"),
    ("ECE of perfection", "ece_of_perfection_95"),
    ("lift, top 10 %", "lift_top_10"),
];

const RANKING: [(&str, &str); 3] =
    [("recall@20", "recall@20"), ("NDCG@20", "ndcg@20"), ("coverage@20", "coverage@20")];

/// One line of the table.
pub struct Candidate<'a> {
    /// The model.
    pub model: &'a str,
    /// The candidate's name.
    pub name: &'a str,
    /// True for the one that was chosen.
    pub chosen: bool,
    /// How well it did.
    pub metrics: &'a Evaluation,
}

/// Every candidate of freshly trained models.
#[must_use]
pub fn candidates(models: &[TrainedLine]) -> Vec<Candidate<'_>> {
    models
        .iter()
        .flat_map(|line| {
            line.candidates.iter().map(|c| Candidate {
                model: line.model.as_str(),
                name: &c.name,
                chosen: c.chosen,
                metrics: &c.metrics,
            })
        })
        .collect()
}

/// One table for probability models, one for recommenders; the chosen candidate marked.
#[must_use]
pub fn table_of(candidates: &[Candidate<'_>]) -> String {
    let is_ranking = |c: &Candidate<'_>| c.metrics.value("log_loss").is_none();
    let mut parts = Vec::new();
    for (ranking, measure, columns) in
        [(false, "holdout rows", &PROBABILITY[..]), (true, "holdout users", &RANKING[..])]
    {
        let rows: Vec<Vec<String>> = candidates
            .iter()
            .filter(|candidate| is_ranking(candidate) == ranking)
            .map(|candidate| row(candidate, columns))
            .collect();
        if rows.is_empty() {
            continue;
        }
        let mut header = vec!["model", "candidate", measure];
        header.extend(columns.iter().map(|(title, _)| *title));
        let right: Vec<usize> = (2..header.len()).collect();
        parts.push(table(&header, &right, rows));
    }
    parts.join("\n")
}

fn row(candidate: &Candidate<'_>, columns: &[(&str, &str)]) -> Vec<String> {
    let mark = if candidate.chosen { "▸ " } else { "  " };
    let mut cells = vec![
        candidate.model.to_owned(),
        format!("{mark}{}", candidate.name),
        count(candidate.metrics.rows as u64),
    ];
    cells.extend(columns.iter().map(|(_, name)| cell(candidate.metrics, name)));
    cells
}

/// A figure with half its interval's width: `0.4083 ± 0.012`.
fn cell(metrics: &Evaluation, name: &str) -> String {
    match metrics.metrics.get(name) {
        None => "–".to_owned(),
        Some(Estimate { value, low, high }) if high > low => {
            format!("{value:.4} ± {:.3}", (high - low) / 2.0)
        }
        Some(estimate) => format!("{:.4}", estimate.value),
    }
}
