//! How much the latest rows differ from those learnt from, feature by feature.
//!
//! Two figures for each feature: the population stability index says how much, a two-sample test (Kolmogorov–Smirnov
//! for numbers, chi-square for categories) says how surely, corrected for the number of features (Benjamini and
//! Hochberg 1995). Without time there is nothing to compare.

mod psi;
mod test;
#[cfg(test)]
mod tests;

use rayon::prelude::*;
use scorehouse_features::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dataset::{Column, ColumnData, ColumnNote, Dataset, Treatment};
use crate::split::Split;

/// Rows on either side below which nothing is said.
const FEW: usize = 30;
/// Index from which a shift is moderate, and from which it is large (Siddiqi 2006).
const MODERATE: f64 = 0.1;
const LARGE: f64 = 0.25;
/// Corrected probability of chance above which a shift is not taken for one.
const SURE: f64 = 0.01;

/// The latest rows against those learnt from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Drift {
    /// Where the latest rows begin.
    pub from: Option<Timestamp>,
    /// Rows learnt from.
    pub rows_before: usize,
    /// The latest rows.
    pub rows_latest: usize,
    /// Every feature, the most shifted first.
    pub features: Vec<FeatureDrift>,
}

/// One feature in the latest rows against those learnt from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureDrift {
    /// The feature.
    pub feature: String,
    /// Population stability index in nats over ten bins (or the levels) and "missing"; 0 is no difference.
    pub psi: f64,
    /// The test.
    pub test: TwoSampleTest,
    /// Its statistic: the largest distance of the distribution functions (0..=1), or chi-square.
    pub statistic: f64,
    /// Probability of a statistic as large by chance, 0..=1; rows of one entity count as one.
    pub p_value: f64,
    /// The same after correction for the number of features.
    pub p_corrected: f64,
    /// Share of missing values among the rows learnt from, 0..=1.
    pub missing_before: f64,
    /// Share of missing values among the latest rows.
    pub missing_latest: f64,
    /// What both figures together say.
    pub shift: Shift,
}

/// A test of whether two samples come from one distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TwoSampleTest {
    /// Of numbers (Smirnov 1948); missing values stand below all numbers.
    KolmogorovSmirnov,
    /// Of categories (Pearson 1900).
    ChiSquare,
}

impl TwoSampleTest {
    /// As it stands in the report.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::KolmogorovSmirnov => "Kolmogorov–Smirnov",
            Self::ChiSquare => "chi-square",
        }
    }
}

/// How far a feature has shifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// Not surely, or not much.
    Stable,
    /// Surely, with an index from 0.1.
    Moderate,
    /// Surely, with an index from 0.25.
    Large,
}

impl Shift {
    /// As it stands in the report.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Moderate => "moderate",
            Self::Large => "large",
        }
    }
}

impl Drift {
    /// Features that have shifted, the most shifted first.
    pub fn shifted(&self) -> impl Iterator<Item = &FeatureDrift> {
        self.features.iter().filter(|feature| feature.shift != Shift::Stable)
    }
}

/// Compares the holdout of a split by time with the rows learnt from; none when the split is not by time or
/// there are fewer than 30 rows on either side. Features that are set aside are not compared.
#[must_use]
pub fn find_drift(data: &Dataset, notes: &[ColumnNote], split: &Split) -> Option<Drift> {
    let from = split.from?;
    if split.train.len().min(split.holdout.len()) < FEW {
        return None;
    }
    let compared: Vec<(&Column, &ColumnNote)> =
        data.columns.iter().zip(notes).filter(|(_, note)| note.treatment != Treatment::SetAside).collect();
    let sides =
        Sides { data, split, before: entities(data, &split.train), latest: entities(data, &split.holdout) };
    let mut features: Vec<FeatureDrift> =
        compared.into_par_iter().map(|(column, note)| sides.compare(column, note.treatment)).collect();
    let corrected = test::benjamini_hochberg(&features.iter().map(|f| f.p_value).collect::<Vec<_>>());
    for (feature, p) in features.iter_mut().zip(corrected) {
        feature.p_corrected = p;
        feature.shift = match feature.psi {
            psi if p > SURE || psi < MODERATE => Shift::Stable,
            psi if psi < LARGE => Shift::Moderate,
            _ => Shift::Large,
        };
    }
    features.sort_by(|a, b| b.psi.total_cmp(&a.psi).then_with(|| a.feature.cmp(&b.feature)));
    let (rows_before, rows_latest) = (split.train.len(), split.holdout.len());
    Some(Drift { from: Some(from), rows_before, rows_latest, features })
}

/// Entities among `rows`: as many independent rows there are.
fn entities(data: &Dataset, rows: &[u32]) -> f64 {
    let Some(group) = &data.group else { return rows.len() as f64 };
    let mut seen: Vec<u32> = rows.iter().map(|row| group[*row as usize]).collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len() as f64
}

struct Sides<'a> {
    data: &'a Dataset,
    split: &'a Split,
    /// Independent rows on either side.
    before: f64,
    latest: f64,
}

impl Sides<'_> {
    fn compare(&self, column: &Column, treatment: Treatment) -> FeatureDrift {
        let missing = |rows: &[u32]| {
            rows.iter().filter(|row| column.is_missing(**row as usize)).count() as f64 / rows.len() as f64
        };
        let (missing_before, missing_latest) = (missing(&self.split.train), missing(&self.split.holdout));
        let numbers =
            if matches!(treatment, Treatment::Number | Treatment::Date) { self.ages(column) } else { None };
        let (psi, test, outcome) = match numbers {
            Some(numbers) => {
                let (before, latest) =
                    (pick(&numbers, &self.split.train), pick(&numbers, &self.split.holdout));
                let psi = psi::of_numbers(&before, &latest);
                (
                    psi,
                    TwoSampleTest::KolmogorovSmirnov,
                    test::kolmogorov_smirnov(&before, &latest, self.before, self.latest),
                )
            }
            None => {
                let codes = codes(column);
                let counts = psi::Counts::of(&codes, &self.split.train, &self.split.holdout);
                (counts.psi(), TwoSampleTest::ChiSquare, test::chi_square(&counts, self.before, self.latest))
            }
        };
        FeatureDrift {
            feature: column.name.clone(),
            psi,
            test,
            statistic: outcome.statistic,
            p_value: outcome.p_value,
            p_corrected: 1.0,
            missing_before,
            missing_latest,
            shift: Shift::Stable,
        }
    }

    /// Numbers as they are; moments as their distance from the row's own, since a date itself always moves on.
    fn ages(&self, column: &Column) -> Option<Vec<f64>> {
        match &column.data {
            ColumnData::Time(values) => Some(
                values
                    .iter()
                    .zip(&self.data.as_of)
                    .map(|(value, as_of)| value.map_or(f64::NAN, |value| (as_of.0 - value.0) as f64))
                    .collect(),
            ),
            _ => column.numbers(),
        }
    }
}

fn pick(numbers: &[f64], rows: &[u32]) -> Vec<f64> {
    rows.iter().map(|row| numbers[*row as usize]).collect()
}

/// A code for each value; missing is a code of its own.
fn codes(column: &Column) -> Vec<u64> {
    let missing = u64::MAX;
    match (&column.data, column.numbers()) {
        (ColumnData::Text { codes, levels }, _) => codes
            .iter()
            .map(|code| if (*code as usize) < levels.len() { u64::from(*code) } else { missing })
            .collect(),
        (_, Some(numbers)) => {
            numbers.iter().map(|x| if x.is_nan() { missing } else { (x + 0.0).to_bits() }).collect()
        }
        (ColumnData::Time(values), None) => {
            values.iter().map(|v| v.map_or(missing, |v| v.0 as u64)).collect()
        }
        _ => Vec::new(),
    }
}
