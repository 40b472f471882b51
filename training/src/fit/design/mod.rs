//! From typed columns to the numbers that learners read: which encoded columns each learner gets.
//!
//! The columns made here are the very ones that go into the artifact's encoder; training and scoring run the
//! same code on a value.

mod block;
mod levels;
mod spread;

use scorehouse_features::value::ValueType;
use scorehouse_models::encoder::{CalendarPart, Levels};
use scorehouse_models::{EncodedColumn, Scaling, Transform};

pub(crate) use block::{Block, BlockColumn};

use crate::dataset::{Column, ColumnData, ColumnNote, Dataset, Treatment};
use crate::fit::design::block::encode_column;
use crate::fit::design::levels::{LevelCounts, frequency};
use crate::fit::design::spread::Spread;

/// Most levels that get a column of their own in a linear model.
const ONE_HOT: usize = 30;
/// Different numbers above which a number that recurs is also read as a level: with fewer, trees can tell each
/// number from its neighbours by themselves.
const RECURRING: usize = 255;
/// Entities, or rows where none are told, per different number from which a number recurs.
const CASES_PER_NUMBER: usize = 3;
/// Rows below which a linear model gets straight lines only.
const ENOUGH_TO_BEND: usize = 500;

/// What columns are designed from: the data, what is done with each column, and the rows learnt from.
#[derive(Clone, Copy)]
pub(crate) struct Design<'a> {
    pub data: &'a Dataset,
    pub notes: &'a [ColumnNote],
    pub rows: &'a [u32],
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

    /// As [`Design::trees`], with nothing that is learnt from outcomes: for hazards, where an entity has a row for every
    /// stretch that it lived through, so that the rate of a level it hardly shares tells how long it lived.
    pub fn trees_without_rates(&self) -> Block {
        let mut block = Block::default();
        for (input, column, treatment) in self.kept() {
            match treatment {
                Treatment::Category | Treatment::ManyLevels => {
                    block.push_code(input, &self.level_counts(column));
                }
                _ => self.numbers(column).into_iter().for_each(|transform| block.push(input, transform)),
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
        if let Some(counts) = self.recurring(input, column) {
            self.push_rates(block, input, &counts);
        }
    }

    /// The levels of a number that takes many values, but the same ones again and again: list prices, round
    /// amounts, codes. What such a number stands for may have little to do with its size.
    fn recurring(&self, input: usize, column: &Column) -> Option<LevelCounts> {
        let direction = self.data.monotone.get(input).copied().unwrap_or(0);
        // A rate of the outcome by level would move the score either way.
        if direction != 0 || !matches!(column.data, ColumnData::Int(_) | ColumnData::Float(_)) {
            return None;
        }
        let counts = self.level_counts(column);
        let (levels, named) = (counts.levels.len(), self.rows.len() - counts.missing);
        // A number that an entity has in each of its rows does not recur for that.
        let recurs = levels > RECURRING && self.cases(column) >= CASES_PER_NUMBER * levels;
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
                    if let Some(counts) = self.recurring(input, column) {
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
}

#[cfg(test)]
mod tests;
