//! Building a base from the rows of history.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow_buffer::ScalarBuffer;
use indexmap::IndexMap;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::definition::Project;
use crate::error::FeatureError;
use crate::ids::{ColumnName, SourceName};
use crate::online::base::keys::KeyIndex;
use crate::online::base::packed::{PackedTable, Sorted, Source};
use crate::online::base::{Base, BaseTable};
use crate::online::log::Position;
use crate::time::Timestamp;
use crate::value::{Missing, Value, ValueType};
use crate::view::columns::{Column, NO_WORD};
use crate::view::key::{is_key, key_text};
use crate::view::{Layout, SourceLayout, TableId, TableLayout};

/// Names of the columns that history adds to a source's own.
pub const EVENT_TIME: &str = "__event_time";
/// When the row became known.
pub const AVAILABLE_TIME: &str = "__available_time";
/// Its place in the order of arrival.
pub const ARRIVAL: &str = "__arrival";

/// Collects rows of history and sorts them into a [`Base`].
#[derive(Debug)]
pub struct BaseBuilder {
    layout: Layout,
    batches: IndexMap<SourceName, Vec<RecordBatch>>,
}

impl BaseBuilder {
    /// A builder for a project's tables.
    ///
    /// # Errors
    /// As for [`Layout::of`].
    pub fn new(project: &Project) -> Result<Self, FeatureError> {
        Ok(Self { layout: Layout::of(project)?, batches: IndexMap::new() })
    }

    /// The stored columns of `source` that batches must hold, besides `__event_time`, `__available_time` and
    /// `__arrival`. Empty for a source that no feature reads; its rows need not be added.
    #[must_use]
    pub fn columns(&self, source: &SourceName) -> Vec<ColumnName> {
        let Some(layout) = self.layout.source(source) else { return Vec::new() };
        let read = self.layout.read_columns(source);
        read.into_iter().filter_map(|number| Some(layout.columns.get(number)?.0.clone())).collect()
    }

    /// Adds rows in any order; columns are found by name.
    ///
    /// # Errors
    /// [`FeatureError::Shape`] when a column is missing; [`FeatureError::Bug`] for an unknown source.
    pub fn add(&mut self, source: &SourceName, batch: &RecordBatch) -> Result<(), FeatureError> {
        if self.layout.source(source).is_none() {
            return Err(FeatureError::Bug(format!("no source `{source}`")));
        }
        let mut wanted: Vec<String> = self.columns(source).iter().map(ToString::to_string).collect();
        wanted.extend([EVENT_TIME, AVAILABLE_TIME, ARRIVAL].map(str::to_owned));
        let mut numbers = Vec::with_capacity(wanted.len());
        for name in &wanted {
            let missing = |_| FeatureError::Shape(format!("rows of `{source}` lack the column `{name}`"));
            numbers.push(batch.schema_ref().index_of(name).map_err(missing)?);
        }
        let shape = |error| FeatureError::Shape(format!("rows of `{source}`: {error}"));
        let kept = batch.project(&numbers).map_err(shape)?;
        self.batches.entry(source.clone()).or_default().push(kept);
        Ok(())
    }

    /// Sorts everything into a base that holds the log up to `drained`.
    ///
    /// # Errors
    /// [`FeatureError::Shape`] when a column does not hold its declared type, or a table has 2^32 rows.
    pub fn finish(self, drained: Position) -> Result<Base, FeatureError> {
        let Self { layout, batches } = self;
        let sources: Vec<(&SourceLayout, Vec<RecordBatch>)> = batches
            .into_iter()
            .filter_map(|(source, batches)| Some((layout.source(&source)?, batches)))
            .collect();
        let loaded: Vec<Loaded> = sources
            .into_par_iter()
            .map(|(source, batches)| Loaded::new(&layout, source, &batches))
            .collect::<Result<_, _>>()?;
        let empty = Base::empty(&layout);
        let build = |(number, table): (usize, &TableLayout)| match loaded
            .iter()
            .find(|loaded| loaded.source.name == table.source)
        {
            Some(loaded) => loaded.table(table),
            None => Ok(empty.tables[number].clone()),
        };
        let tables = layout.tables().par_iter().enumerate().map(build).collect::<Result<_, _>>()?;
        Ok(Base { layout_digest: layout.digest().to_owned(), drained, tables })
    }
}

impl BaseTable {
    /// Sorts rows of one table's source by key and, within a key, in canonical order. Batches come in any
    /// order and hold `__event_time`, `__available_time`, `__arrival` and what [`BaseBuilder::columns`] says.
    ///
    /// # Errors
    /// [`FeatureError::Shape`] when a column is missing or does not hold its declared type, or there are 2^32
    /// rows; [`FeatureError::Bug`] for a table that is not in the layout.
    pub fn build(layout: &Layout, table: TableId, batches: &[RecordBatch]) -> Result<Self, FeatureError> {
        let unknown = || FeatureError::Bug(format!("no table {}", table.0));
        let table = layout.tables().get(table.0).ok_or_else(unknown)?;
        let source = layout.source(&table.source).ok_or_else(unknown)?;
        Loaded::new(layout, source, batches)?.table(table)
    }
}

/// All rows of one source as columns, filters' outcomes among them.
struct Loaded<'a> {
    source: &'a SourceLayout,
    event_time: ScalarBuffer<i64>,
    available: ScalarBuffer<i64>,
    arrival: ScalarBuffer<i64>,
    columns: Vec<Option<Column>>,
}

impl<'a> Loaded<'a> {
    fn new(layout: &Layout, source: &'a SourceLayout, batches: &[RecordBatch]) -> Result<Self, FeatureError> {
        let shape = |error| FeatureError::Shape(format!("rows of `{}`: {error}", source.name));
        let schema = batches
            .first()
            .map(RecordBatch::schema)
            .unwrap_or_else(|| Arc::new(arrow_schema::Schema::empty()));
        let all = arrow_select::concat::concat_batches(&schema, batches).map_err(shape)?;
        if u32::try_from(all.num_rows()).is_err() {
            return Err(FeatureError::Shape(format!("source `{}` has more than 2^32 rows", source.name)));
        }
        let mut columns: Vec<Option<Column>> = vec![None; source.width()];
        for number in layout.read_columns(&source.name) {
            let (name, value_type) = &source.columns[number];
            columns[number] = Some(typed(&all, name.as_str(), *value_type)?);
        }
        let mut loaded = Self {
            source,
            event_time: whole_numbers(&all, EVENT_TIME, ValueType::Time)?,
            available: whole_numbers(&all, AVAILABLE_TIME, ValueType::Time)?,
            arrival: whole_numbers(&all, ARRIVAL, ValueType::Int)?,
            columns,
        };
        loaded.apply_filters();
        Ok(loaded)
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

    fn table(&self, table: &TableLayout) -> Result<BaseTable, FeatureError> {
        let no_key = || FeatureError::Bug(format!("key column `{}` was not read", table.key));
        let key_column = self.columns[table.key_column].as_ref().ok_or_else(no_key)?;
        let key_column = as_keys(key_column);
        let keyed = Keyed::new(&key_column, self.event_time.len());
        let (order, starts) = keyed.sort(|row| {
            let row = row as usize;
            (self.event_time[row], self.available[row], self.arrival[row])
        });
        let columns = table
            .needed
            .par_iter()
            .filter_map(|number| Some((*number, self.columns[*number].as_ref()?)))
            .map(|(number, column)| Ok((number, gather(column, &order)?)))
            .collect::<Result<_, FeatureError>>()?;
        let sorted =
            Sorted { order: &order, event_time: &self.event_time, available: &self.available, columns };
        Ok(BaseTable {
            keys: KeyIndex::build(&keyed.keys)?,
            starts: starts.into(),
            arrival: order.iter().map(|row| self.arrival[*row as usize]).collect(),
            packed: PackedTable::pack(&sorted, self.source.width()),
        })
    }
}

/// The distinct keys of a column, ascending, and each row's position among them.
struct Keyed<'a> {
    keys: Vec<&'a str>,
    of_row: Vec<u32>,
}

/// The position of a row without a key.
const NO_KEY: u32 = u32::MAX;

impl<'a> Keyed<'a> {
    /// `column` is a text column.
    fn new(column: &'a Column, rows: usize) -> Self {
        let mut met: FxHashMap<&'a str, u32> = FxHashMap::default();
        let mut keys: Vec<&'a str> = Vec::new();
        let mut of_row = Vec::with_capacity(rows);
        for row in 0..rows {
            let Some(key) = column.text(row).filter(|key| is_key(key)) else {
                of_row.push(NO_KEY);
                continue;
            };
            of_row.push(*met.entry(key).or_insert_with(|| {
                keys.push(key);
                keys.len() as u32 - 1
            }));
        }
        let mut ascending: Vec<u32> = (0..keys.len() as u32).collect();
        ascending.par_sort_unstable_by_key(|at| keys[*at as usize]);
        let mut rank = vec![0; keys.len()];
        for (place, at) in ascending.iter().enumerate() {
            rank[*at as usize] = place as u32;
        }
        of_row.iter_mut().filter(|at| **at != NO_KEY).for_each(|at| *at = rank[*at as usize]);
        Self { keys: ascending.iter().map(|at| keys[*at as usize]).collect(), of_row }
    }

    /// Row numbers by key, then by `order` within a key; rows without a key are left out. Also where each
    /// key's rows start, and the end.
    fn sort<K: Ord + Send>(&self, order: impl Fn(u32) -> K + Sync) -> (Vec<u32>, Vec<u32>) {
        let mut starts = vec![0_u32; self.keys.len() + 1];
        for key in self.of_row.iter().filter(|key| **key != NO_KEY) {
            starts[*key as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut rows = vec![0_u32; starts.last().map_or(0, |end| *end as usize)];
        for (row, key) in self.of_row.iter().enumerate().filter(|(_, key)| **key != NO_KEY) {
            let place = &mut next[*key as usize];
            rows[*place as usize] = row as u32;
            *place += 1;
        }
        let mut rest = rows.as_mut_slice();
        let mut groups = Vec::with_capacity(self.keys.len());
        for bounds in starts.windows(2) {
            let (group, after) = rest.split_at_mut((bounds[1] - bounds[0]) as usize);
            groups.push(group);
            rest = after;
        }
        groups.into_par_iter().with_min_len(1024).for_each(|group| {
            if !group.is_sorted_by_key(|row| order(*row)) {
                group.sort_by_cached_key(|row| order(*row));
            }
        });
        (rows, starts)
    }
}

/// The key column as text, whatever it is stored as.
fn as_keys(column: &Column) -> Cow<'_, Column> {
    match column {
        Column::Text(_) | Column::Coded(..) => Cow::Borrowed(column),
        _ => {
            let texts = (0..column.len()).map(|row| key_text(&column.value(row)).map(Cow::into_owned));
            Cow::Owned(Column::Text(texts.collect::<StringArray>()))
        }
    }
}

/// The column as it is packed; text becomes coded.
fn gather<'a>(column: &'a Column, rows: &[u32]) -> Result<Source<'a>, FeatureError> {
    match column {
        Column::Text(_) | Column::Coded(..) => code(column, rows),
        _ => Ok(Source::Unsorted(column)),
    }
}

/// Words are numbered in the order in which the sorted rows meet them.
fn code<'a>(column: &Column, rows: &[u32]) -> Result<Source<'a>, FeatureError> {
    let mut met: FxHashMap<&str, u32> = FxHashMap::default();
    let mut words: Vec<Arc<str>> = Vec::new();
    let mut codes = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(text) = column.text(*row as usize) else {
            codes.push(NO_WORD);
            continue;
        };
        codes.push(*met.entry(text).or_insert_with(|| {
            words.push(Arc::from(text));
            words.len() as u32 - 1
        }));
    }
    if words.iter().map(|word| word.len() as u64).sum::<u64>() > u64::from(u32::MAX) {
        return Err(FeatureError::Shape("the distinct texts of one column take more than 4 GiB".to_owned()));
    }
    Ok(Source::Coded(codes, words.into()))
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
