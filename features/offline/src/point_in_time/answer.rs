//! Answering the questions of one partition from a run of rows: the kernel's caller.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::error::{DataFusionError, Result};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use scorehouse_features::online::{BaseTable, SortedTable};
use scorehouse_features::value::{Missing, Value, ValueType};
use scorehouse_features::view::{Gather, Layout, WindowScratch};

use crate::point_in_time::newest::Newest;
use crate::point_in_time::questions::{NUMBER, Questions};
use crate::point_in_time::slot::{SlotBuilder, SlotColumn, arrow_type};

/// Questions answered by one task.
const GRAIN: usize = 2048;

/// Computes one gathering step of a plan.
#[derive(Debug)]
pub struct Answering {
    layout: Arc<Layout>,
    gather: Gather,
    /// The slots filled, with their types, in the order of the output's columns.
    slots: Vec<(usize, ValueType)>,
    /// Slots of the whole plan.
    width: usize,
    schema: SchemaRef,
}

impl Answering {
    /// For a step that fills `slots` of a plan of `width` slots.
    #[must_use]
    pub fn new(layout: Arc<Layout>, gather: Gather, slots: Vec<(usize, ValueType)>, width: usize) -> Self {
        let mut fields = vec![Field::new(NUMBER, DataType::UInt32, false)];
        for (slot, value_type) in &slots {
            fields.push(Field::new(format!("value_{slot}"), arrow_type(*value_type), true));
            fields.push(Field::new(format!("missing_{slot}"), DataType::UInt8, false));
        }
        Self { layout, gather, slots, width, schema: Arc::new(Schema::new(fields)) }
    }

    /// The question's number, then for each slot its values and the codes of missing ones.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Answers the questions about the keys of a run. With `all` the run holds every row there is, and every
    /// question left is answered from it.
    ///
    /// # Errors
    /// When the rows do not have the shape that their source declares.
    pub fn chunk(
        &self,
        batches: &[RecordBatch],
        questions: &mut Questions,
        all: bool,
    ) -> Result<Vec<RecordBatch>> {
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        if self.gather.windows.is_empty() {
            return Ok(vec![self.newest(batches, questions, all)?]);
        }
        let table = BaseTable::build(&self.layout, self.gather.table, batches)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let positions: Vec<u32> = if all {
            questions.take_all()
        } else {
            table.keys_after(None, usize::MAX).filter_map(|key| questions.take(key)).flatten().collect()
        };
        self.answer(&table, &positions, questions)
    }

    /// As [`Answering::chunk`], for a step that only finds newest rows.
    fn newest(&self, batches: &[RecordBatch], questions: &mut Questions, all: bool) -> Result<RecordBatch> {
        let rows = arrow_select::concat::concat_batches(&batches[0].schema(), batches)?;
        let table = SortedTable::build(&self.layout, self.gather.table, &rows)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let positions: Vec<u32> = if all {
            questions.take_all()
        } else {
            table.keys().filter_map(|key| questions.take(key)).flatten().collect()
        };
        let unknown = || DataFusionError::Internal(format!("no table {}", self.gather.table.0));
        let source = self.layout.tables().get(self.gather.table.0).ok_or_else(unknown)?;
        let source = self.layout.source(&source.source).ok_or_else(unknown)?;
        let newest = Newest { source, rows: &rows, table: &table };
        let mut filled: FxHashMap<usize, SlotColumn> = FxHashMap::default();
        for part in &self.gather.latest {
            filled.extend(newest.part(part, &positions, questions)?);
        }
        let numbers: UInt32Array = positions.iter().map(|at| questions.number(*at)).collect();
        let mut columns: Vec<ArrayRef> = vec![Arc::new(numbers)];
        for (slot, _) in &self.slots {
            let unfilled = || DataFusionError::Internal(format!("slot {slot} was not filled"));
            let SlotColumn { values, missing } = filled.remove(slot).ok_or_else(unfilled)?;
            columns.push(values);
            columns.push(missing);
        }
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }

    /// Answers what is left: entities without any row.
    ///
    /// # Errors
    /// As [`Answering::chunk`].
    pub fn rest(&self, questions: &mut Questions) -> Result<Vec<RecordBatch>> {
        let positions = questions.take_all();
        self.answer(&BaseTable::empty(), &positions, questions)
    }

    fn answer(
        &self,
        table: &BaseTable,
        positions: &[u32],
        questions: &Questions,
    ) -> Result<Vec<RecordBatch>> {
        positions.par_chunks(GRAIN).map(|part| self.part(table, part, questions)).collect()
    }

    fn part(&self, table: &BaseTable, positions: &[u32], questions: &Questions) -> Result<RecordBatch> {
        let mut scratch = WindowScratch::default();
        let mut slots = vec![Value::Missing(Missing::NeverSeen); self.width];
        let mut builders: Vec<SlotBuilder> =
            self.slots.iter().map(|(_, kind)| SlotBuilder::new(*kind, positions.len())).collect();
        for at in positions {
            let rows = table.rows(questions.key(*at));
            self.gather.fill(&rows, questions.as_of(*at), &mut scratch, &mut slots);
            for ((slot, _), builder) in self.slots.iter().zip(&mut builders) {
                builder.push(&slots[*slot]);
            }
        }
        let numbers: UInt32Array = positions.iter().map(|at| questions.number(*at)).collect();
        let mut columns: Vec<ArrayRef> = vec![Arc::new(numbers)];
        for SlotColumn { values, missing } in builders.into_iter().map(SlotBuilder::finish) {
            columns.push(values);
            columns.push(missing);
        }
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}
