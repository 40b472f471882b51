//! The columns of one learner, and the data as their numbers.

use rayon::prelude::*;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};
use scorehouse_models::encoder::Levels;
use scorehouse_models::{EncodedColumn, Transform};

use crate::dataset::{ColumnData, Dataset};
use crate::fit::boosting::{FeatureKind, Matrix};
use crate::fit::design::Design;
use crate::fit::design::levels::{LevelCounts, without_own_outcome};
use crate::fit::design::spread::Spread;

/// Most levels that get a code of their own; rarer ones share one.
const CODES: usize = 250;
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

impl Block {
    pub(super) fn push(&mut self, input: usize, transform: Transform) {
        self.push_filled(EncodedColumn::new(input, transform));
    }

    pub(super) fn push_filled(&mut self, encoded: EncodedColumn) {
        self.columns.push(BlockColumn { encoded, kind: FeatureKind::Number, from_outcomes: false });
    }

    pub(super) fn push_rate(&mut self, encoded: EncodedColumn) {
        self.columns.push(BlockColumn { encoded, kind: FeatureKind::Number, from_outcomes: true });
    }

    pub(super) fn push_code(&mut self, input: usize, counts: &LevelCounts) {
        let levels: Levels = counts.levels.iter().take(CODES).map(|level| level.0.clone()).collect();
        // One code more: levels without a code of their own, and levels never seen.
        let kind = FeatureKind::Category { levels: levels.len() as u32 + 1 };
        let encoded = EncodedColumn::new(input, Transform::Code { levels });
        self.columns.push(BlockColumn { encoded, kind, from_outcomes: false });
    }

    pub(super) fn push_scaled(&mut self, column: EncodedColumn, spread: &Spread, limit: f64) {
        if let Some(scaling) = spread.scaling(limit) {
            self.push_filled(column.scaled(scaling));
        }
    }

    /// For each column +1 when the score may only rise with it, -1 when it may only fall, else 0; empty when all
    /// are free.
    pub fn monotone(&self, data: &Dataset) -> Vec<i8> {
        let direction = |column: &BlockColumn| match column.encoded.transform {
            Transform::Number => data.monotone.get(column.encoded.input).copied().unwrap_or(0),
            _ => 0,
        };
        let directions: Vec<i8> = self.columns.iter().map(direction).collect();
        if directions.iter().all(|direction| *direction == 0) { Vec::new() } else { directions }
    }

    /// Every row of the data as numbers, column by column. A number learnt from outcomes is, in a row learnt
    /// from, that of other rows only, so that no row sees its own outcome.
    pub fn encode(&self, design: Design<'_>, folds: &[u8]) -> Matrix {
        let encode = |column: &BlockColumn| {
            if column.from_outcomes {
                without_own_outcome(&column.encoded, design, folds)
            } else {
                encode_column(&column.encoded, design.data)
            }
        };
        let columns = self.columns.par_iter().map(encode).collect();
        let kinds = self.columns.iter().map(|column| column.kind).collect();
        Matrix { rows: design.data.rows, columns, kinds }
    }
}

/// Every row's number in a column of the encoder.
pub(super) fn encode_column(column: &EncodedColumn, data: &Dataset) -> Vec<f64> {
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
