//! Levels of categories: how often each occurs, and the rate of the outcome in each.

use rustc_hash::{FxHashMap, FxHashSet};
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_models::encoder::Means;
use scorehouse_models::{EncodedColumn, Transform};

use crate::dataset::{Column, ColumnData, Dataset};
use crate::fit::design::Design;
use crate::fit::design::block::encode_column;

/// Most levels whose rate is kept, the most frequent.
const RATES: usize = 20_000;
/// Rows that a level's rate is drawn towards the rate of all, as if that many average rows belonged to it.
const SMOOTH: f64 = 20.0;
/// Levels of a category over the rows learnt from.
pub(super) struct LevelCounts {
    /// Name, rows, rows with the outcome; most frequent first.
    pub levels: Vec<(String, f64, f64)>,
    pub missing: usize,
}

impl Design<'_> {
    pub(super) fn level_counts(&self, column: &Column) -> LevelCounts {
        let (codes, names) = level_codes(column, self.data.rows);
        let mut counts = vec![(0.0, 0.0); names.len()];
        let mut missing = 0;
        for row in self.rows {
            match codes[*row as usize] {
                Some(code) => {
                    let count: &mut (f64, f64) = &mut counts[code as usize];
                    count.0 += 1.0;
                    count.1 += self.data.label[*row as usize];
                }
                None => missing += 1,
            }
        }
        let mut levels: Vec<(String, f64, f64)> =
            names.into_iter().zip(counts).map(|(name, (rows, with))| (name, rows, with)).collect();
        levels.retain(|level| level.1 > 0.0);
        levels.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        LevelCounts { levels, missing }
    }

    /// How often a level occurs, counted once for each entity that has it; for each row where no entities are told.
    pub(super) fn cases(&self, column: &Column) -> usize {
        let (codes, _) = level_codes(column, self.data.rows);
        let named = self.rows.iter().filter_map(|row| Some((codes[*row as usize]?, *row)));
        match &self.data.group {
            None => named.count(),
            Some(group) => {
                named.map(|(code, row)| (code, group[row as usize])).collect::<FxHashSet<_>>().len()
            }
        }
    }

    pub(super) fn rate(&self, counts: &LevelCounts) -> Transform {
        let base = base_rate(self.data, self.rows);
        let means: Means = counts
            .levels
            .iter()
            .filter(|level| level.1 >= 2.0)
            .take(RATES)
            .map(|(name, rows, with)| (name.clone(), shrunken(*rows, *with, base)))
            .collect();
        Transform::TargetMean { means, prior: log_odds(base) }
    }
}

/// The log of each level's share, which tells common levels from rare ones.
pub(super) fn frequency(counts: &LevelCounts) -> Transform {
    let all: f64 = counts.levels.iter().map(|level| level.1).sum();
    let means: Means = counts
        .levels
        .iter()
        .filter(|level| level.1 >= 2.0)
        .take(RATES)
        .map(|(name, rows, _)| (name.clone(), (rows / all).ln()))
        .collect();
    Transform::TargetMean { means, prior: (1.0 / (all + 1.0)).ln() }
}

fn base_rate(data: &Dataset, rows: &[u32]) -> f64 {
    let with: f64 = rows.iter().map(|row| data.label[*row as usize]).sum();
    (with + 0.5) / (rows.len() as f64 + 1.0)
}

fn log_odds(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

/// Log-odds of a level's rate, drawn towards the rate of all.
pub(super) fn shrunken(rows: f64, with: f64, base: f64) -> f64 {
    log_odds((with + SMOOTH * base) / (rows + SMOOTH))
}

/// Levels of a column by code, with their names as the encoder sees them; none when missing.
pub(super) fn level_codes(column: &Column, rows: usize) -> (Vec<Option<u32>>, Vec<String>) {
    if let ColumnData::Text { codes, levels } = &column.data {
        let known = |code: &u32| (*code as usize) < levels.len();
        let codes = codes.iter().map(|code| Some(*code).filter(known)).collect();
        return (codes, levels.iter().map(|level| level.to_string()).collect());
    }
    let mut names: Vec<String> = Vec::new();
    let mut index: FxHashMap<String, u32> = FxHashMap::default();
    let codes = (0..rows).map(|row| {
        let name = match column.value(row) {
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => (value as i64).to_string(),
            _ => return None,
        };
        let next = names.len() as u32;
        Some(*index.entry(name).or_insert_with_key(|name| {
            names.push(name.clone());
            next
        }))
    });
    (codes.collect(), names)
}

/// The rates of levels as [`encode_column`] gives them, except that a row learnt from does not see its own
/// outcome: with time, its rate is counted over outcomes known before the row's moment; without, over the rows
/// of other folds.
pub(super) fn without_own_outcome(column: &EncodedColumn, design: Design<'_>, folds: &[u8]) -> Vec<f64> {
    let data = design.data;
    let mut numbers = encode_column(column, data);
    let (codes, names) = level_codes(&data.columns[column.input], data.rows);
    let levels = Levelled { design, codes: &codes, levels: names.len(), base: base_rate(data, design.rows) };
    let rates = match &data.known_at {
        Some(known_at) => levels.past(known_at),
        None => levels.other_folds(folds),
    };
    for (row, rate) in rates {
        numbers[row as usize] = column.scaling.map_or(rate, |scaling| scaling.apply(rate));
    }
    numbers
}

/// Rows with the codes of their levels.
pub(super) struct Levelled<'a> {
    pub design: Design<'a>,
    pub codes: &'a [Option<u32>],
    pub levels: usize,
    pub base: f64,
}

impl Levelled<'_> {
    fn label(&self, row: u32) -> f64 {
        self.design.data.label[row as usize]
    }

    /// The rate of each row's level over outcomes known before the row's moment (ordered target statistics,
    /// Prokhorenkova et al. 2018, with the data's own order).
    pub fn past(&self, known_at: &[Timestamp]) -> Vec<(u32, f64)> {
        let as_of = &self.design.data.as_of;
        let mut asked: Vec<u32> = self.design.rows.to_vec();
        asked.sort_by_key(|row| (as_of[*row as usize], *row));
        let mut known: Vec<u32> = self.design.rows.to_vec();
        known.sort_by_key(|row| (known_at[*row as usize], *row));
        let mut known = known.into_iter().peekable();
        let mut sums = vec![(0.0, 0.0); self.levels];
        let mut rates = Vec::with_capacity(asked.len());
        for row in asked {
            while let Some(earlier) =
                known.next_if(|earlier| known_at[*earlier as usize] < as_of[row as usize])
            {
                if let Some(code) = self.codes[earlier as usize] {
                    let sum: &mut (f64, f64) = &mut sums[code as usize];
                    sum.0 += 1.0;
                    sum.1 += self.label(earlier);
                }
            }
            if let Some(code) = self.codes[row as usize] {
                let (rows, with) = sums[code as usize];
                rates.push((row, shrunken(rows, with, self.base)));
            }
        }
        rates
    }

    fn other_folds(&self, folds: &[u8]) -> Vec<(u32, f64)> {
        let count = folds.iter().filter(|fold| **fold != u8::MAX).max().map_or(0, |fold| *fold as usize + 1);
        // By level: of all folds, then of each.
        let mut sums = vec![(0.0, 0.0); self.levels * (count + 1)];
        let placed = |row: &u32| {
            let fold = folds[*row as usize];
            let code = self.codes[*row as usize].filter(|_| fold != u8::MAX)?;
            let all = code as usize * (count + 1);
            Some((all, all + 1 + fold as usize))
        };
        for row in self.design.rows {
            if let Some((all, own)) = placed(row) {
                for at in [all, own] {
                    sums[at].0 += 1.0;
                    sums[at].1 += self.label(*row);
                }
            }
        }
        let rate = |row: &u32| {
            let (all, own): ((f64, f64), (f64, f64)) =
                placed(row).map(|(all, own)| (sums[all], sums[own]))?;
            Some((*row, shrunken(all.0 - own.0, all.1 - own.1, self.base)))
        };
        self.design.rows.iter().filter_map(rate).collect()
    }
}
