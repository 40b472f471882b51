//! Champion and challenger side by side, as outcomes arrive.

use rustc_hash::FxHashMap;
use scorehouse_training::gate::{Paired, Verdict, compare};
use scorehouse_training::metric::{Estimate, Sample, auc, bootstrap, brier, ece, log_loss};
use serde::Serialize;
use utoipa::ToSchema;

/// Bands of calibration.
const BANDS: usize = 10;
/// Draws behind an interval: many for few rows, fewer for many, so that a report stays quick.
const DRAWS: (usize, usize) = (40, 400);
/// Rows times draws at most.
const MOST_WORK: usize = 4_000_000;
/// Seed of the draws: the same log gives the same report.
pub(super) const SEED: u64 = 0x0ab5_51de;
/// Rows, and rows of either outcome, of each variant below which nothing is said.
const ROWS: usize = 40;
const EITHER: usize = 8;
/// The 97.5 % point of the normal distribution.
pub(super) const TWO_SIDED: f64 = 1.96;

/// What the answers of one variant were worth.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct VariantReport {
    /// `champion`; `challenger`, which answered a share of the keys; or `shadow`, which was asked beside the champion.
    pub variant: String,
    /// The versions that answered in this part, ascending.
    pub versions: Vec<u32>,
    /// Scores that count: the last one of an entity on a day.
    pub counted: usize,
    /// Those whose outcome is known.
    pub known: usize,
    /// Those with the outcome.
    pub positives: usize,
    /// Mean of the scores whose outcome is known, 0 to 1.
    pub expected: Option<f64>,
    /// Share of them with the outcome, 0 to 1.
    pub observed: Option<f64>,
    /// Mean negative log-likelihood in nats; lower is better.
    pub log_loss: Option<Figure>,
    /// Area under the ROC curve; null while there is one kind of outcome only.
    pub auc: Option<Figure>,
    /// Mean squared error; lower is better.
    pub brier: Option<Figure>,
    /// Expected calibration error over ten bands of equal count.
    pub ece: Option<Figure>,
}

/// A figure with its 95 % interval, by a bootstrap that draws whole entities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Figure {
    /// The figure.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// How the challenger did beside the champion.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct VariantComparison {
    /// True: both scored the same entities as of the same moments. False: each had entities of its own.
    pub paired: bool,
    /// Scores with a known outcome: pairs, or those of both variants together.
    pub rows: usize,
    /// Difference of the mean log loss in nats, challenger less champion, with its 95 % interval; below 0 the
    /// challenger is better. Null where too little is known.
    pub difference: Option<Figure>,
    /// `better`, `alike` (the interval holds zero), `worse` or `not_compared`.
    pub verdict: &'static str,
    /// All of it in a sentence.
    pub words: String,
}

/// One score of a variant.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    pub key: &'a str,
    pub version: u32,
    pub output: f64,
    /// None: not known yet.
    pub outcome: Option<bool>,
}

/// One entity as of one moment, scored by both.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    pub key: &'a str,
    pub champion: f64,
    pub challenger: f64,
    pub outcome: bool,
}

/// Outputs and outcomes of what is known, with a number per entity.
#[derive(Debug, Default)]
struct Known {
    outputs: Vec<f64>,
    labels: Vec<f64>,
    groups: Vec<u32>,
}

impl From<Estimate> for Figure {
    fn from(Estimate { value, low, high }: Estimate) -> Self {
        Self { value, low, high }
    }
}

impl Known {
    fn of(rows: &[Told<'_>]) -> Self {
        let mut entities = FxHashMap::default();
        let mut known = Self::default();
        for row in rows {
            let Some(outcome) = row.outcome else { continue };
            let next = entities.len() as u32;
            known.groups.push(*entities.entry(row.key).or_insert(next));
            known.outputs.push(row.output);
            known.labels.push(label(outcome));
        }
        known
    }

    /// Enough rows of either outcome to compare on.
    fn tells(&self) -> bool {
        let with = self.labels.iter().filter(|label| **label > 0.5).count();
        self.labels.len() >= ROWS && with.min(self.labels.len() - with) >= EITHER
    }

    /// The mean log loss and its variance, which knows that scores of one entity go together.
    fn mean_loss(&self) -> (f64, f64) {
        let each = self.outputs.iter().zip(&self.labels).map(|(p, y)| log_loss(&[*p], &[*y]));
        clustered(&each.collect::<Vec<f64>>(), &self.groups)
    }
}

/// The mean of values and its variance, which knows that those of one group go together (Liang and Zeger 1986, with the
/// correction for few groups); a single group tells nothing.
pub(super) fn clustered(values: &[f64], groups: &[u32]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let mut sums: FxHashMap<u32, f64> = FxHashMap::default();
    for (value, group) in values.iter().zip(groups) {
        *sums.entry(*group).or_default() += value - mean;
    }
    if sums.len() < 2 {
        return (mean, f64::INFINITY);
    }
    let few = sums.len() as f64 / (sums.len() - 1) as f64;
    (mean, few * sums.values().map(|sum| sum * sum).sum::<f64>() / (count * count))
}

fn label(outcome: bool) -> f64 {
    f64::from(u8::from(outcome))
}

fn measure(outputs: &[f64], labels: &[f64]) -> Vec<f64> {
    vec![log_loss(outputs, labels), auc(outputs, labels), brier(outputs, labels), ece(outputs, labels, BANDS)]
}

impl VariantReport {
    /// What the scores of a variant were worth.
    #[must_use]
    pub fn of(variant: &str, rows: &[Told<'_>]) -> Self {
        let mut versions: Vec<u32> = rows.iter().map(|row| row.version).collect();
        versions.sort_unstable();
        versions.dedup();
        let known = Known::of(rows);
        let report = Self { variant: variant.to_owned(), versions, counted: rows.len(), ..Self::default() };
        if known.labels.is_empty() || known.outputs.iter().any(|output| !(0.0..=1.0).contains(output)) {
            return Self { known: known.labels.len(), ..report };
        }
        let count = known.labels.len();
        let positives = known.labels.iter().filter(|label| **label > 0.5).count();
        let sample = Sample { probability: &known.outputs, label: &known.labels, group: Some(&known.groups) };
        let draws = (MOST_WORK / count).clamp(DRAWS.0, DRAWS.1);
        let figures: Vec<Figure> =
            bootstrap(sample, measure, draws, SEED).into_iter().map(Figure::from).collect();
        let figure = |at: usize| figures.get(at).copied();
        Self {
            known: count,
            positives,
            expected: Some(known.outputs.iter().sum::<f64>() / count as f64),
            observed: Some(positives as f64 / count as f64),
            log_loss: figure(0),
            auc: figure(1).filter(|_| positives > 0 && positives < count),
            brier: figure(2),
            ece: figure(3),
            ..report
        }
    }
}

/// Compares on the same entities as of the same moments.
#[must_use]
pub fn paired(pairs: &[Pair<'_>]) -> VariantComparison {
    let mut entities = FxHashMap::default();
    let mut group = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let next = entities.len() as u32;
        group.push(*entities.entry(pair.key).or_insert(next));
    }
    let column = |of: fn(&Pair<'_>) -> f64| pairs.iter().map(of).collect::<Vec<f64>>();
    let (new, other) = (column(|pair| pair.challenger), column(|pair| pair.champion));
    let labels = column(|pair| label(pair.outcome));
    let on = format!("the {} scores that both gave", pairs.len());
    let compared = compare(Paired {
        new: &new,
        other: &other,
        label: &labels,
        group: Some(&group),
        against: "the champion",
        on: &on,
        seed: SEED,
    });
    VariantComparison {
        paired: true,
        rows: compared.rows,
        difference: compared.difference.map(Figure::from),
        verdict: word(compared.verdict),
        words: compared.words,
    }
}

/// Compares two groups of entities.
#[must_use]
pub fn apart(champion: &[Told<'_>], challenger: &[Told<'_>]) -> VariantComparison {
    let (old, new) = (Known::of(champion), Known::of(challenger));
    let rows = old.labels.len() + new.labels.len();
    let mut compared = VariantComparison {
        paired: false,
        rows,
        difference: None,
        verdict: "not_compared",
        words: String::new(),
    };
    let counts =
        format!("{} scores of the challenger and {} of the champion", new.labels.len(), old.labels.len());
    if !old.tells() || !new.tells() {
        compared.words = format!("the outcomes of {counts} are too few to compare on");
        return compared;
    }
    let ((old_mean, old_variance), (new_mean, new_variance)) = (old.mean_loss(), new.mean_loss());
    let (value, margin) = (new_mean - old_mean, TWO_SIDED * (old_variance + new_variance).sqrt());
    let (low, high) = (value - margin, value + margin);
    let (verdict, so) = match (low, high) {
        (_, high) if high < 0.0 => ("better", "it is better"),
        (low, _) if low > 0.0 => ("worse", "it is worse"),
        _ => ("alike", "the difference may be chance"),
    };
    compared.words = format!(
        "on {counts} the challenger loses {value:+.4} nats a score (95 % interval {low:+.4} to {high:+.4}): {so}"
    );
    VariantComparison { difference: Some(Figure { value, low, high }), verdict, ..compared }
}

pub(super) const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Alike => "alike",
        Verdict::Worse => "worse",
        Verdict::NotCompared => "not_compared",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows<'a>(keys: &'a [String], output: impl Fn(usize) -> f64) -> Vec<Told<'a>> {
        let row = |(at, key): (usize, &'a String)| Told {
            key,
            version: 1 + (at % 2) as u32,
            output: output(at),
            outcome: (at % 10 != 9).then_some(at % 2 == 0),
        };
        keys.iter().enumerate().map(row).collect()
    }

    fn keys() -> Vec<String> {
        (0..200).map(|at| format!("D-{at}")).collect()
    }

    fn sharp(at: usize) -> f64 {
        if at.is_multiple_of(2) { 0.8 } else { 0.2 }
    }

    #[test]
    fn a_variant_is_told_with_intervals_over_what_is_known() {
        let keys = keys();
        let report = VariantReport::of("champion", &rows(&keys, sharp));
        assert_eq!((report.counted, report.known, report.positives), (200, 180, 100));
        assert_eq!(report.versions, [1, 2]);
        let loss = report.log_loss.unwrap();
        assert!(
            (loss.value + 0.8_f64.ln()).abs() < 1e-12 && loss.low <= loss.value && loss.value <= loss.high
        );
        assert_eq!(report.auc.unwrap().value, 1.0);
        let nothing = VariantReport::of("shadow", &[]);
        assert_eq!((nothing.known, nothing.log_loss), (0, None));
    }

    #[test]
    fn the_better_of_two_groups_is_called_better_and_few_rows_are_not_compared() {
        let keys = keys();
        let (champion, challenger) = (rows(&keys, |_| 0.5), rows(&keys, sharp));
        let compared = apart(&champion, &challenger);
        assert_eq!((compared.verdict, compared.rows), ("better", 360));
        let difference = compared.difference.unwrap();
        assert!((difference.value - (0.5_f64.ln() - 0.8_f64.ln())).abs() < 1e-9, "{difference:?}");
        assert_eq!(apart(&challenger, &champion).verdict, "worse");
        assert_eq!(apart(&champion, &champion).verdict, "alike");
        assert_eq!(apart(&champion[..20], &challenger).verdict, "not_compared");
    }

    #[test]
    fn pairs_are_compared_row_by_row() {
        let keys = keys();
        let pair = |(at, key)| Pair { key, champion: 0.5, challenger: sharp(at), outcome: at % 2 == 0 };
        let pairs: Vec<Pair<'_>> = keys.iter().map(String::as_str).enumerate().map(pair).collect();
        let compared = paired(&pairs);
        assert_eq!((compared.verdict, compared.rows, compared.paired), ("better", 200, true));
        assert!(compared.words.contains("the 200 scores that both gave"), "{}", compared.words);
        assert_eq!(paired(&pairs[..9]).verdict, "not_compared");
    }
}
