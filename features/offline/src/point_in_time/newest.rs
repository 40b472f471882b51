//! Newest rows found for many questions at once, their values taken column by column.

use arrow_array::{ArrayRef, RecordBatch, UInt8Array, UInt32Array};
use datafusion::error::{DataFusionError, Result};
use rayon::prelude::*;
use scorehouse_features::online::SortedTable;
use scorehouse_features::value::ValueType;
use scorehouse_features::view::plan::LatestPart;
use scorehouse_features::view::{SourceLayout, latest};

use crate::point_in_time::questions::Questions;
use crate::point_in_time::slot::{SlotColumn, code};

/// Questions answered by one task.
const GRAIN: usize = 4096;

/// Rows of one run, and where they are found by key.
pub struct Newest<'a> {
    pub source: &'a SourceLayout,
    pub rows: &'a RecordBatch,
    pub table: &'a SortedTable,
}

impl Newest<'_> {
    /// The columns of one part of a step with the slots they fill, for the questions at `positions`.
    ///
    /// # Errors
    /// When a column of the rows does not hold its declared type.
    pub fn part(
        &self,
        part: &LatestPart,
        positions: &[u32],
        questions: &Questions,
    ) -> Result<Vec<(usize, SlotColumn)>> {
        let (picks, reasons) = self.pick(part, positions, questions);
        let take = |(number, slot): &(usize, usize)| {
            let (column, value_type) = self.column(*number)?;
            let taken = SlotColumn::picked(column, &picks, &reasons, value_type);
            Ok((*slot, taken.map_err(|error| DataFusionError::External(Box::new(error)))?))
        };
        part.columns.par_iter().map(take).collect()
    }

    /// For each question the number of its newest row, or the code of the reason why there is none.
    fn pick(&self, part: &LatestPart, positions: &[u32], questions: &Questions) -> (UInt32Array, UInt8Array) {
        let found: Vec<(Option<u32>, u8)> = positions
            .par_iter()
            .with_min_len(GRAIN)
            .map(|at| {
                let rows = self.table.rows(questions.key(*at));
                match latest::select(&rows, part.filter, part.ttl, questions.as_of(*at)) {
                    Ok(row) => (Some(rows.number(row)), 0),
                    Err(missing) => (None, code(missing)),
                }
            })
            .collect();
        (found.iter().map(|(row, _)| *row).collect(), found.iter().map(|(_, code)| *code).collect())
    }

    fn column(&self, number: usize) -> Result<(&ArrayRef, ValueType)> {
        let unknown = || DataFusionError::Internal(format!("rows lack column {number}"));
        let (name, value_type) = self.source.columns.get(number).ok_or_else(unknown)?;
        Ok((self.rows.column_by_name(name.as_str()).ok_or_else(unknown)?, *value_type))
    }
}
