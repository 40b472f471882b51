//! The finished row: computed columns, which rows are kept, and a row's two times.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;

use super::block::{BadRows, Block};
use super::column::{ColumnBuilder, TypedColumn};
use super::error::SourceError;
use super::reject::RejectReason;
use super::schema::stored_schema;
use crate::definition::{Availability, Origin, Source};
use crate::expression::Expression;
use crate::ids::ColumnName;
use crate::time::Timestamp;
use crate::value::{Missing, Value};

/// Completes the read columns of one source.
#[derive(Debug, Clone)]
pub struct Assembler {
    schema: SchemaRef,
    names: Vec<ColumnName>,
    read: Vec<usize>,
    computed: Vec<Computed>,
    keep: Option<Expression>,
    event_time: usize,
    available: Known,
}

#[derive(Debug, Clone)]
struct Computed {
    position: usize,
    expression: Expression,
}

#[derive(Debug, Clone, Copy)]
enum Known {
    After(i64),
    Column(usize),
}

/// Rows of one block that were kept.
#[derive(Debug)]
pub struct Assembled {
    /// The source's columns in order, then event time and availability time.
    pub batch: RecordBatch,
    /// Rows left out because `keep` was not true.
    pub filtered: u64,
    /// Rows that cannot be taken.
    pub bad: BadRows,
}

/// One row, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct TypedRow {
    /// When it happened.
    pub event_time: Timestamp,
    /// When it was known.
    pub available: Timestamp,
    /// Its values, in the order of the source's columns.
    pub values: Vec<Value>,
}

/// What became of a row that could be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is taken.
    Kept(TypedRow),
    /// The source's `keep` was not true for it.
    Filtered,
}

impl Assembler {
    /// Prepares the completion of `source`'s rows.
    ///
    /// # Errors
    /// [`SourceError::Definition`] when a time column that the source names does not exist.
    pub fn new(source: &Source) -> Result<Self, SourceError> {
        let position = |name: &ColumnName| {
            source.columns.iter().position(|c| c.name == *name).ok_or_else(|| SourceError::Definition {
                source_name: source.name.clone(),
                problem: format!("time column {name} does not exist"),
            })
        };
        let available = match &source.available {
            Availability::EventTime => Known::After(0),
            Availability::Delay(span) => Known::After(span.0),
            Availability::Column(name) => Known::Column(position(name)?),
        };
        let mut read = Vec::new();
        let mut computed = Vec::new();
        for (position, column) in source.columns.iter().enumerate() {
            match &column.origin {
                Origin::Read { .. } => read.push(position),
                Origin::Computed(expression) => {
                    computed.push(Computed { position, expression: expression.clone() });
                }
            }
        }
        let stored = stored_schema(source);
        let schema = Arc::new(Schema::new(stored.fields()[..stored.fields().len() - 1].to_vec()));
        Ok(Self {
            schema,
            names: source.columns.iter().map(|c| c.name.clone()).collect(),
            read,
            computed,
            keep: source.keep.clone(),
            event_time: position(&source.event_time)?,
            available,
        })
    }

    /// The schema of assembled batches: as stored, without the arrival.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Completes a block of rows.
    ///
    /// # Errors
    /// [`SourceError::Arrow`] when the block's columns are not those of the source.
    pub fn assemble(&self, block: Block) -> Result<Assembled, SourceError> {
        let mut bad = block.bad;
        let mut columns: Vec<Option<ArrayRef>> = vec![None; self.names.len()];
        for (position, column) in self.read.iter().zip(block.columns) {
            columns[*position] = Some(column);
        }
        let mut keep = vec![true; block.rows];
        let mut filtered = 0;
        if !self.computed.is_empty() || self.keep.is_some() {
            filtered = self.compute(&mut columns, &bad, &mut keep);
        }
        let columns: Vec<ArrayRef> = columns.into_iter().flatten().collect();
        self.mark_timeless(&columns, &keep, &mut bad);
        for (row, _) in bad.iter() {
            keep[row] = false;
        }
        let batch = self.kept_rows(columns, keep)?;
        Ok(Assembled { batch, filtered, bad })
    }

    /// Marks rows that would be kept without one of their times.
    fn mark_timeless(&self, columns: &[ArrayRef], keep: &[bool], bad: &mut BadRows) {
        let (event, available) = self.time_columns();
        for position in std::iter::once(event).chain(available) {
            let column = &columns[position];
            if column.null_count() == 0 {
                continue;
            }
            for row in (0..column.len()).filter(|row| keep[*row] && column.is_null(*row)) {
                bad.mark(row, RejectReason::Required { column: self.names[position].clone() });
            }
        }
    }

    fn kept_rows(&self, mut columns: Vec<ArrayRef>, keep: Vec<bool>) -> Result<RecordBatch, SourceError> {
        let event = Arc::clone(&columns[self.event_time]);
        let available = match self.available {
            Known::Column(position) => Arc::clone(&columns[position]),
            Known::After(0) => Arc::clone(&event),
            Known::After(delay) => later(&event, delay),
        };
        columns.extend([event, available]);
        let whole = keep.iter().all(|k| *k);
        // Bad rows hold nulls where none are allowed, so the check of the schema waits for the filter.
        let loose = self.schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true));
        let batch = RecordBatch::try_new(Arc::new(Schema::new(loose.collect::<Vec<_>>())), columns)?;
        let batch = if whole { batch } else { filter_record_batch(&batch, &BooleanArray::from(keep))? };
        Ok(RecordBatch::try_new(self.schema(), batch.columns().to_vec())?)
    }

    /// Adds the computed columns and clears `keep` for rows left out; tells how many were.
    fn compute(&self, columns: &mut [Option<ArrayRef>], bad: &BadRows, keep: &mut [bool]) -> u64 {
        let mut builders: Vec<ColumnBuilder> =
            self.computed.iter().map(|c| ColumnBuilder::new(c.expression.value_type(), keep.len())).collect();
        let typed: Vec<Option<TypedColumn<'_>>> =
            columns.iter().map(|c| c.as_ref().and_then(TypedColumn::of)).collect();
        let mut values = vec![Value::Missing(Missing::NullAtSource); columns.len()];
        let mut filtered = 0;
        for (row, kept) in keep.iter_mut().enumerate() {
            if bad.contains(row) {
                builders.iter_mut().for_each(ColumnBuilder::push_null);
                continue;
            }
            for position in &self.read {
                if let Some(column) = &typed[*position] {
                    values[*position] = column.value(row);
                }
            }
            *kept = self.finish_values(&mut values);
            filtered += u64::from(!*kept);
            for (builder, computed) in builders.iter_mut().zip(&self.computed) {
                builder.push(&values[computed.position]);
            }
        }
        drop(typed);
        for (builder, computed) in builders.into_iter().zip(&self.computed) {
            columns[computed.position] = Some(builder.finish());
        }
        filtered
    }

    /// Computes what is computed; true when the row is kept.
    fn finish_values(&self, values: &mut [Value]) -> bool {
        let as_of = self.as_of(values);
        for computed in &self.computed {
            values[computed.position] = computed.expression.evaluate(values, as_of);
        }
        let as_of = self.as_of(values);
        self.keep.as_ref().is_none_or(|keep| keep.evaluate(values, as_of) == Value::Bool(true))
    }

    /// An expression over a row sees the row's own event time as the time asked for.
    fn as_of(&self, values: &[Value]) -> Timestamp {
        match values[self.event_time] {
            Value::Time(moment) => moment,
            _ => Timestamp::MIN,
        }
    }

    /// Completes one row whose read columns stand in `values`.
    ///
    /// # Errors
    /// [`RejectReason::Required`] when a row without a time would be kept.
    pub fn complete(&self, mut values: Vec<Value>) -> Result<Outcome, RejectReason> {
        if !self.finish_values(&mut values) {
            return Ok(Outcome::Filtered);
        }
        let time = |position: usize| match values[position] {
            Value::Time(moment) => Ok(moment),
            _ => Err(RejectReason::Required { column: self.names[position].clone() }),
        };
        let event_time = time(self.event_time)?;
        let available = match self.available {
            Known::Column(position) => time(position)?,
            Known::After(delay) => Timestamp(event_time.0.saturating_add(delay)),
        };
        Ok(Outcome::Kept(TypedRow { event_time, available, values }))
    }

    /// Positions of the time columns: event time, then availability time if it is a column of its own.
    pub(super) fn time_columns(&self) -> (usize, Option<usize>) {
        match self.available {
            Known::Column(position) => (self.event_time, Some(position)),
            Known::After(_) => (self.event_time, None),
        }
    }
}

fn later(event: &ArrayRef, delay: i64) -> ArrayRef {
    let moved: TimestampMicrosecondArray =
        event.as_primitive::<TimestampMicrosecondType>().unary(|t: i64| t.saturating_add(delay));
    Arc::new(moved.with_timezone("UTC"))
}
