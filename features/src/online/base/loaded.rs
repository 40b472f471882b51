//! All rows of one source, as columns.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_buffer::ScalarBuffer;
use rayon::prelude::*;

use crate::error::FeatureError;
use crate::online::base::build::{ARRIVAL, AVAILABLE_TIME, EVENT_TIME};
use crate::time::Timestamp;
use crate::value::{Missing, Value, ValueType};
use crate::view::columns::Column;
use crate::view::{Layout, SourceLayout};

/// All rows of one source as columns, filters' outcomes among them.
pub(super) struct Loaded<'a> {
    pub(super) source: &'a SourceLayout,
    pub(super) event_time: ScalarBuffer<i64>,
    pub(super) available: ScalarBuffer<i64>,
    pub(super) arrival: ScalarBuffer<i64>,
    pub(super) columns: Vec<Option<Column>>,
}

impl<'a> Loaded<'a> {
    /// From batches in any order.
    pub(super) fn new(
        layout: &Layout,
        source: &'a SourceLayout,
        batches: &[RecordBatch],
    ) -> Result<Self, FeatureError> {
        let shape = |error| FeatureError::Shape(format!("rows of `{}`: {error}", source.name));
        let schema = batches
            .first()
            .map(RecordBatch::schema)
            .unwrap_or_else(|| Arc::new(arrow_schema::Schema::empty()));
        let all = arrow_select::concat::concat_batches(&schema, batches).map_err(shape)?;
        Self::of(layout, source, &all)
    }

    /// From one batch.
    pub(super) fn of(
        layout: &Layout,
        source: &'a SourceLayout,
        all: &RecordBatch,
    ) -> Result<Self, FeatureError> {
        if u32::try_from(all.num_rows()).is_err() {
            return Err(FeatureError::Shape(format!("source `{}` has more than 2^32 rows", source.name)));
        }
        let mut columns: Vec<Option<Column>> = vec![None; source.width()];
        for number in layout.read_columns(&source.name) {
            let (name, value_type) = &source.columns[number];
            columns[number] = Some(typed(all, name.as_str(), *value_type)?);
        }
        let mut loaded = Self {
            source,
            event_time: whole_numbers(all, EVENT_TIME, ValueType::Time)?,
            available: whole_numbers(all, AVAILABLE_TIME, ValueType::Time)?,
            arrival: whole_numbers(all, ARRIVAL, ValueType::Int)?,
            columns,
        };
        loaded.apply_filters();
        Ok(loaded)
    }

    /// What rows of one key are ordered by.
    pub(super) fn canonical(&self, row: u32) -> (i64, i64, i64) {
        let row = row as usize;
        (self.event_time[row], self.available[row], self.arrival[row])
    }

    /// Evaluates each filter over each row, by chunks of rows in parallel.
    fn apply_filters(&mut self) {
        let stored = self.source.columns.len();
        for (number, filter) in self.source.filters.iter().enumerate() {
            let outcome = |row: usize, values: &mut Vec<Value>| {
                for slot in filter.slots() {
                    let column = self.columns.get(*slot).and_then(Option::as_ref);
                    values[*slot] = column.map_or(Value::Missing(Missing::NullAtSource), |c| c.value(row));
                }
                filter.is_true(values, Timestamp(self.event_time[row]))
            };
            let fresh = || vec![Value::Missing(Missing::NullAtSource); stored];
            let outcomes: Vec<bool> = (0..self.event_time.len())
                .into_par_iter()
                .with_min_len(4096)
                .map_init(fresh, |values, row| outcome(row, values))
                .collect();
            let column = Column::Bool(BooleanArray::from(outcomes).values().clone(), None);
            self.columns[stored + number] = Some(column);
        }
    }
}

fn typed(batch: &RecordBatch, name: &str, value_type: ValueType) -> Result<Column, FeatureError> {
    let missing = || FeatureError::Shape(format!("rows lack the column `{name}`"));
    let array: &ArrayRef = batch.column_by_name(name).ok_or_else(missing)?;
    Column::from_arrow(array, value_type)
        .map_err(|error| FeatureError::Shape(format!("column `{name}`: {error}")))
}

fn whole_numbers(
    batch: &RecordBatch,
    name: &str,
    value_type: ValueType,
) -> Result<ScalarBuffer<i64>, FeatureError> {
    match typed(batch, name, value_type)? {
        Column::Int(values, None) | Column::Time(values, None) => Ok(values),
        _ => Err(FeatureError::Shape(format!("column `{name}` must not hold nulls"))),
    }
}
