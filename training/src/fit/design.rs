//! From typed columns to the numbers that learners read: which encoded columns each learner gets.
//!
//! The columns made here are the very ones that go into the artifact's encoder; training and scoring run the
//! same code on a value.

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value, ValueType};
use scorehouse_models::encoder::{CalendarPart, Levels, Means};
use scorehouse_models::{EncodedColumn, Scaling, Transform};

use crate::dataset::{Column, ColumnData, ColumnNote, Dataset, Treatment};
use crate::fit::boosting::{FeatureKind, Matrix};
use crate::metric::quantile;

/// Most levels that get a code of their own; rarer ones share one.
const CODES: usize = 250;
/// Most levels that get a column of their own in a linear model.
const ONE_HOT: usize = 30;
/// Different numbers above which a number that recurs is also read as a level: with fewer, trees can tell each
/// number from its neighbours by themselves.
const RECURRING: usize = 255;
/// Rows per different number from which a number recurs.
const ROWS_PER_NUMBER: usize = 3;
/// Most levels whose rate is kept, the most frequent.
const RATES: usize = 20_000;
/// Rows that a level's rate is drawn towards the rate of all, as if that many average rows belonged to it.
const SMOOTH: f64 = 20.0;
/// Stretches of a number over which a linear model may change its slope.
const STRETCHES: usize = 5;
/// Rows below which a linear model gets straight lines only.
const ENOUGH_TO_BEND: usize = 500;

/// Columns for one learner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Block {
    pub columns: Vec<BlockColumn>,
}

/// One column of a block.
#[derive(Debug, Clone)]
pub(crate) struct BlockColumn {
    pub encoded: EncodedColumn,
    pub kind: FeatureKind,
    /// True when its numbers were learnt from outcomes.
    pub from_outcomes: bool,
}

/// What columns are designed from: the data, what is done with each column, and the rows learnt from.
#[derive(Clone, Copy)]
pub(crate) struct Design<'a> {
    pub data: &'a Dataset,
    pub notes: &'a [ColumnNote],
    pub rows: &'a [u32],
}

/// Levels of a category over the rows learnt from.
struct LevelCounts {
    /// Name, rows, rows with the outcome; most frequent first.
    levels: Vec<(String, f64, f64)>,
    missing: usize,
}

impl Design<'_> {
    fn kept(&self) -> impl Iterator<Item = (usize, &Column, Treatment)> {
        let columns = self.data.columns.iter().zip(self.notes).enumerate();
        columns
            .map(|(input, (column, note))| (input, column, note.treatment))
            .filter(|(_, _, treatment)| *treatment != Treatment::SetAside)
    }

    /// For boosted trees: numbers as they are, categories as codes, and rates of levels where there are many.
    pub fn trees(&self) -> Block {
        let mut block = Block::default();
        for (input, column, treatment) in self.kept() {
            match treatment {
                Treatment::Category => block.push_code(input, &self.level_counts(column)),
                Treatment::ManyLevels => {
                    let counts = self.level_counts(column);
                    block.push_code(input, &counts);
                    self.push_rates(&mut block, input, &counts);
                }
                _ => self.push_numbers(&mut block, input, column),
            }
        }
        block
    }

    fn push_rates(&self, block: &mut Block, input: usize, counts: &LevelCounts) {
        block.push_rate(EncodedColumn::new(input, self.rate(counts)));
        block.push(input, frequency(counts));
    }

    fn push_numbers(&self, block: &mut Block, input: usize, column: &Column) {
        self.numbers(column).into_iter().for_each(|transform| block.push(input, transform));
        if let Some(counts) = self.recurring(column) {
            self.push_rates(block, input, &counts);
        }
    }

    /// The levels of a number that takes many values, but the same ones again and again: list prices, round
    /// amounts, codes. What such a number stands for may have little to do with its size.
    fn recurring(&self, column: &Column) -> Option<LevelCounts> {
        if !matches!(column.data, ColumnData::Int(_) | ColumnData::Float(_)) {
            return None;
        }
        let counts = self.level_counts(column);
        let (levels, named) = (counts.levels.len(), self.rows.len() - counts.missing);
        let recurs = levels > RECURRING && named >= ROWS_PER_NUMBER * levels;
        // Numbers with fractions have no name; they must not be most of the column.
        (recurs && named * 2 > self.rows.len()).then_some(counts)
    }

    /// For a random forest, which knows only numbers: categories as the rates of their levels.
    pub fn forest(&self) -> Block {
        let mut block = Block::default();
        for (input, column, treatment) in self.kept() {
            match treatment {
                Treatment::Category | Treatment::ManyLevels => {
                    block.push_rate(EncodedColumn::new(input, self.rate(&self.level_counts(column))));
                }
                _ => self.push_numbers(&mut block, input, column),
            }
        }
        block
    }

    fn numbers(&self, column: &Column) -> Vec<Transform> {
        match column.value_type() {
            ValueType::Bool => vec![Transform::Bool],
            ValueType::Time => vec![
                Transform::DaysBeforeAsOf,
                Transform::Calendar { part: CalendarPart::Month },
                Transform::Calendar { part: CalendarPart::Weekday },
            ],
            _ => vec![Transform::Number],
        }
    }

    /// For a linear model: every column scaled and filled, numbers also in stretches, a column per level.
    pub fn linear(&self) -> Block {
        let mut block = Block::default();
        for (input, column, treatment) in self.kept() {
            match treatment {
                Treatment::Category => self.one_hot(&mut block, input, &self.level_counts(column)),
                Treatment::ManyLevels => {
                    let counts = self.level_counts(column);
                    self.scaled_rates(&mut block, input, &counts);
                    self.one_hot(&mut block, input, &counts);
                }
                _ => {
                    self.linear_number(&mut block, input, column);
                    if let Some(counts) = self.recurring(column) {
                        self.scaled_rates(&mut block, input, &counts);
                    }
                }
            }
        }
        block
    }

    fn scaled_rates(&self, block: &mut Block, input: usize, counts: &LevelCounts) {
        let rate = EncodedColumn::new(input, self.rate(counts));
        if let Some(scaling) = Spread::of(&encode_column(&rate, self.data), self.rows).scaling(4.0) {
            block.push_rate(rate.scaled(scaling));
        }
        let frequency = EncodedColumn::new(input, frequency(counts));
        let spread = Spread::of(&encode_column(&frequency, self.data), self.rows);
        block.push_scaled(frequency, &spread, 4.0);
    }

    fn one_hot(&self, block: &mut Block, input: usize, counts: &LevelCounts) {
        let least = (self.rows.len() as f64 / 1000.0).max(3.0);
        let own: Vec<&(String, f64, f64)> =
            counts.levels.iter().take(ONE_HOT).filter(|level| level.1 >= least).collect();
        let rest: f64 = counts.levels.iter().skip(own.len()).map(|level| level.1).sum();
        for (level, _, _) in &own {
            block.push_filled(EncodedColumn::new(input, Transform::OneHot { level: level.clone() }));
        }
        if rest >= least {
            let levels: Levels = own.iter().map(|level| level.0.clone()).collect();
            block.push_filled(EncodedColumn::new(input, Transform::Unlisted { levels }));
        }
        self.missing_flag(block, input, counts.missing);
    }

    fn missing_flag(&self, block: &mut Block, input: usize, missing: usize) {
        if missing >= 3 && missing + 3 <= self.rows.len() {
            block.push_filled(EncodedColumn::new(input, Transform::IsMissing));
        }
    }

    fn linear_number(&self, block: &mut Block, input: usize, column: &Column) {
        let transform = match column.value_type() {
            ValueType::Bool => Transform::Bool,
            ValueType::Time => Transform::DaysBeforeAsOf,
            _ => Transform::Number,
        };
        let plain = EncodedColumn::new(input, transform.clone());
        let spread = Spread::of(&encode_column(&plain, self.data), self.rows);
        self.missing_flag(block, input, spread.missing);
        if spread.skewed() && matches!(transform, Transform::Number) {
            let log = EncodedColumn::new(input, Transform::SignedLog);
            let logs = Spread::of(&encode_column(&log, self.data), self.rows);
            block.push_scaled(log, &logs, 6.0);
        } else {
            block.push_scaled(plain.clone(), &spread, 6.0);
        }
        if self.rows.len() < ENOUGH_TO_BEND || spread.sorted.len() < 3 {
            return;
        }
        let knots = spread.knots();
        for pair in knots.windows(2) {
            let scaling = Scaling {
                mean: (pair[0] + pair[1]) / 2.0,
                scale: (pair[1] - pair[0]) / 2.0,
                fill: spread.median,
                limit: Some(1.0),
            };
            if scaling.scale.is_finite() && scaling.scale > 0.0 && knots.len() > 2 {
                block.push_filled(plain.clone().scaled(scaling));
            }
        }
    }

    fn level_counts(&self, column: &Column) -> LevelCounts {
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

    fn rate(&self, counts: &LevelCounts) -> Transform {
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
fn frequency(counts: &LevelCounts) -> Transform {
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
fn shrunken(rows: f64, with: f64, base: f64) -> f64 {
    log_odds((with + SMOOTH * base) / (rows + SMOOTH))
}

impl Block {
    fn push(&mut self, input: usize, transform: Transform) {
        self.push_filled(EncodedColumn::new(input, transform));
    }

    fn push_filled(&mut self, encoded: EncodedColumn) {
        self.columns.push(BlockColumn { encoded, kind: FeatureKind::Number, from_outcomes: false });
    }

    fn push_rate(&mut self, encoded: EncodedColumn) {
        self.columns.push(BlockColumn { encoded, kind: FeatureKind::Number, from_outcomes: true });
    }

    fn push_code(&mut self, input: usize, counts: &LevelCounts) {
        let levels: Levels = counts.levels.iter().take(CODES).map(|level| level.0.clone()).collect();
        // One code more: levels without a code of their own, and levels never seen.
        let kind = FeatureKind::Category { levels: levels.len() as u32 + 1 };
        let encoded = EncodedColumn::new(input, Transform::Code { levels });
        self.columns.push(BlockColumn { encoded, kind, from_outcomes: false });
    }

    fn push_scaled(&mut self, column: EncodedColumn, spread: &Spread, limit: f64) {
        if let Some(scaling) = spread.scaling(limit) {
            self.push_filled(column.scaled(scaling));
        }
    }

    /// Every row of the data as numbers, column by column. A number learnt from outcomes is, in a row learnt
    /// from, that of the other folds' rows only, so that no row sees its own outcome.
    pub fn encode(&self, design: Design<'_>, folds: &[u8]) -> Matrix {
        let encode = |column: &BlockColumn| {
            if column.from_outcomes {
                out_of_fold(&column.encoded, design, folds)
            } else {
                encode_column(&column.encoded, design.data)
            }
        };
        let columns = self.columns.par_iter().map(encode).collect();
        let kinds = self.columns.iter().map(|column| column.kind).collect();
        Matrix { rows: design.data.rows, columns, kinds }
    }
}

/// Centre and spread of a column of numbers over the rows learnt from.
struct Spread {
    mean: f64,
    sd: f64,
    median: f64,
    missing: usize,
    /// Numbers that are there, ascending, each once.
    sorted: Vec<f64>,
    /// The same with repetitions.
    all: Vec<f64>,
}

impl Spread {
    fn of(numbers: &[f64], rows: &[u32]) -> Self {
        let mut all: Vec<f64> =
            rows.iter().map(|row| numbers[*row as usize]).filter(|x| !x.is_nan()).collect();
        all.sort_by(f64::total_cmp);
        let count = all.len().max(1) as f64;
        let mean = all.iter().sum::<f64>() / count;
        let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
        let median = if all.is_empty() { 0.0 } else { quantile(&all, 0.5) };
        let mut sorted = all.clone();
        sorted.dedup();
        Self { mean, sd: variance.sqrt(), median, missing: rows.len() - all.len(), sorted, all }
    }

    /// To mean 0 and standard deviation 1; none for a column without spread.
    fn scaling(&self, limit: f64) -> Option<Scaling> {
        let spreads = self.sd.is_finite() && self.sd > 1e-12 * self.mean.abs().max(1e-280);
        spreads.then_some(Scaling { mean: self.mean, scale: self.sd, fill: self.median, limit: Some(limit) })
    }

    /// True when a few numbers lie far beyond the rest, as amounts of money do.
    fn skewed(&self) -> bool {
        let count = self.all.len().max(1) as f64;
        let third = self.all.iter().map(|x| ((x - self.mean) / self.sd).powi(3)).sum::<f64>() / count;
        self.sd > 0.0 && third.abs() > 2.0
    }

    /// Ends of the stretches: quantiles, or every number where there are few.
    fn knots(&self) -> Vec<f64> {
        let mut knots = if self.sorted.len() <= STRETCHES + 1 {
            self.sorted.clone()
        } else {
            let quantiles = (0..=STRETCHES).map(|i| {
                let share = (i as f64 / STRETCHES as f64).clamp(0.005, 0.995);
                quantile(&self.all, share)
            });
            quantiles.collect()
        };
        knots.dedup();
        knots
    }
}

/// Levels of a column by code, with their names as the encoder sees them; none when missing.
fn level_codes(column: &Column, rows: usize) -> (Vec<Option<u32>>, Vec<String>) {
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

/// Every row's number in a column of the encoder.
pub(crate) fn encode_column(column: &EncodedColumn, data: &Dataset) -> Vec<f64> {
    let source = &data.columns[column.input];
    match &source.data {
        // A text's number depends on the text alone: one look-up per level instead of one per row.
        ColumnData::Text { codes, levels } => {
            let of_level: Vec<f64> = levels
                .iter()
                .map(|level| column.encode(&Value::Text(level.clone()), Timestamp::default()))
                .collect();
            let missing = column.encode(&Value::Missing(Missing::NullAtSource), Timestamp::default());
            codes.iter().map(|code| of_level.get(*code as usize).copied().unwrap_or(missing)).collect()
        }
        _ => (0..data.rows).map(|row| column.encode(&source.value(row), data.as_of[row])).collect(),
    }
}

/// The rates of levels as [`encode_column`] gives them, except that in a row learnt from the rate is counted
/// over the rows of other folds.
fn out_of_fold(column: &EncodedColumn, design: Design<'_>, folds: &[u8]) -> Vec<f64> {
    let data = design.data;
    let mut numbers = encode_column(column, data);
    let (codes, names) = level_codes(&data.columns[column.input], data.rows);
    let base = base_rate(data, design.rows);
    let count = folds.iter().filter(|fold| **fold != u8::MAX).max().map_or(0, |fold| *fold as usize + 1);
    // By level: of all folds, then of each.
    let mut sums = vec![(0.0, 0.0); names.len() * (count + 1)];
    let seen = |row: u32| codes[row as usize].map(|code| code as usize * (count + 1));
    for row in design.rows {
        let (fold, label) = (folds[*row as usize], data.label[*row as usize]);
        if let Some(at) = seen(*row).filter(|_| fold != u8::MAX) {
            for at in [at, at + 1 + fold as usize] {
                sums[at].0 += 1.0;
                sums[at].1 += label;
            }
        }
    }
    for row in design.rows {
        let fold = folds[*row as usize];
        if let Some(at) = seen(*row).filter(|_| fold != u8::MAX) {
            let (all, own): ((f64, f64), (f64, f64)) = (sums[at], sums[at + 1 + fold as usize]);
            let rate = shrunken(all.0 - own.0, all.1 - own.1, base);
            numbers[*row as usize] = column.scaling.map_or(rate, |scaling| scaling.apply(rate));
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::screen;

    fn data(columns: Vec<Column>, label: Vec<f64>) -> Dataset {
        let rows = label.len();
        Dataset { rows, columns, label, as_of: vec![Timestamp(0); rows], ..Dataset::default() }
    }

    fn city_data() -> Dataset {
        let rows = 4000;
        let cities: Vec<String> = (0..rows).map(|i| format!("city {}", (i * 7919) % 900)).collect();
        let city = Column::text("city", cities.iter().map(|c| Some(c.as_str())));
        data(vec![city], (0..rows).map(|i| f64::from(u8::from(i % 5 == 0))).collect())
    }

    #[test]
    fn a_rate_in_a_training_row_does_not_hold_its_own_outcome() {
        let original = city_data();
        let rows: Vec<u32> = (0..original.rows as u32).collect();
        let folds: Vec<u8> = (0..original.rows).map(|row| (row % 4) as u8).collect();
        let rate = |data: &Dataset| {
            let notes = screen(&data.columns, data.rows);
            assert_eq!(notes[0].treatment, Treatment::ManyLevels);
            let design = Design { data, notes: &notes, rows: &rows };
            design.trees().encode(design, &folds).columns[1].clone()
        };
        let before = rate(&original);
        // Two rows of opposite outcome and one fold change places: the base rate stays.
        let mut changed = original.clone();
        changed.label.swap(0, 4);
        assert!(original.label[0] != original.label[4]);
        let after = rate(&changed);
        assert_eq!((before[0], before[4]), (after[0], after[4]));
        assert!(before != after);
    }

    #[test]
    fn every_design_encodes_what_the_encoder_encodes_and_linear_columns_have_no_gaps() {
        let rows = 600;
        let number = (0..rows).map(|i| if i % 9 == 0 { f64::NAN } else { f64::from(i).powi(3) }).collect();
        let text = Column::text("t", (0..rows).map(|i| ["a", "b", "c"].get(i as usize % 4).copied()));
        let data =
            data(vec![Column::float("n", number), text], (0..rows).map(|i| f64::from(i % 2)).collect());
        let notes = screen(&data.columns, data.rows);
        let all: Vec<u32> = (0..rows as u32).collect();
        let design = Design { data: &data, notes: &notes, rows: &all };
        let folds = vec![u8::MAX; data.rows];
        for block in [design.trees(), design.forest(), design.linear()] {
            let matrix = block.encode(design, &folds);
            for (column, numbers) in block.columns.iter().zip(&matrix.columns) {
                for row in [0, 1, 2, 3, 77] {
                    let value = data.columns[column.encoded.input].value(row);
                    let expected = column.encoded.encode(&value, data.as_of[row]);
                    assert!(expected == numbers[row] || expected.is_nan() && numbers[row].is_nan());
                }
            }
        }
        let linear = design.linear().encode(design, &folds);
        assert!(linear.columns.iter().flatten().all(|x| x.is_finite() && x.abs() <= 6.0));
        // Log, stretches and the missing flag of the number; three levels and the flag of the text.
        assert_eq!(linear.columns.len(), 1 + 1 + STRETCHES + 4);
    }
}
