//! The questions of one partition: whom, when, and which number the answer bears.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result;
use rustc_hash::FxHashMap;
use scorehouse_features::time::Timestamp;

/// The column of the entity's key.
pub const KEY: &str = "__key";
/// The column of the moment, microseconds.
pub const AS_OF: &str = "__as_of";
/// The column of the question's number.
pub const NUMBER: &str = "__number";

/// Questions, found by key.
#[derive(Debug)]
pub struct Questions {
    keys: StringArray,
    as_of: Int64Array,
    numbers: UInt32Array,
    /// Positions by key; a key leaves when its questions have been answered.
    open: FxHashMap<Arc<str>, Vec<u32>>,
}

impl Questions {
    /// Key, moment and number.
    #[must_use]
    pub fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new(KEY, DataType::Utf8, false),
            Field::new(AS_OF, DataType::Int64, false),
            Field::new(NUMBER, DataType::UInt32, false),
        ]))
    }

    /// As one batch.
    ///
    /// # Errors
    /// When there are not as many moments as keys.
    pub fn batch(keys: StringArray, as_of: Int64Array, numbers: UInt32Array) -> Result<RecordBatch> {
        Ok(RecordBatch::try_new(Self::schema(), vec![Arc::new(keys), Arc::new(as_of), Arc::new(numbers)])?)
    }

    /// From the batches of one partition.
    ///
    /// # Errors
    /// When they are not of the [`Questions::schema`].
    pub fn from_batches(batches: &[RecordBatch]) -> Result<Self> {
        let all = arrow_select::concat::concat_batches(&Self::schema(), batches)?;
        let keys = all.column(0).as_string::<i32>().clone();
        let mut open: FxHashMap<Arc<str>, Vec<u32>> = FxHashMap::default();
        for row in 0..keys.len() {
            match open.get_mut(keys.value(row)) {
                Some(rows) => rows.push(row as u32),
                None => {
                    open.insert(Arc::from(keys.value(row)), vec![row as u32]);
                }
            }
        }
        let as_of = all.column(1).as_primitive::<Int64Type>().clone();
        Ok(Self { as_of, numbers: all.column(2).as_primitive::<UInt32Type>().clone(), keys, open })
    }

    /// The positions of the questions about `key`, which count as answered from now on.
    pub fn take(&mut self, key: &str) -> Option<Vec<u32>> {
        self.open.remove(key)
    }

    /// All positions not yet answered, ascending.
    pub fn take_all(&mut self) -> Vec<u32> {
        let mut rest: Vec<u32> = self.open.drain().flat_map(|(_, rows)| rows).collect();
        rest.sort_unstable();
        rest
    }

    /// The key asked about at a position.
    #[must_use]
    pub fn key(&self, at: u32) -> &str {
        self.keys.value(at as usize)
    }

    /// The moment asked about at a position.
    #[must_use]
    pub fn as_of(&self, at: u32) -> Timestamp {
        Timestamp(self.as_of.value(at as usize))
    }

    /// The number that the answer at a position bears.
    #[must_use]
    pub fn number(&self, at: u32) -> u32 {
        self.numbers.value(at as usize)
    }
}
