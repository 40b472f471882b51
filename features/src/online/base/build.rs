//! Building a base from the rows of history.

use arcstr::ArcStr;
use arrow_array::RecordBatch;
use indexmap::IndexMap;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::definition::Project;
use crate::error::FeatureError;
use crate::ids::{ColumnName, SourceName};
use crate::online::base::keyed::{Keyed, as_keys};
use crate::online::base::keys::KeyIndex;
use crate::online::base::loaded::Loaded;
use crate::online::base::packed::{PackedTable, Sorted, Source};
use crate::online::base::{Base, BaseTable};
use crate::online::log::Position;
use crate::view::columns::{Column, NO_WORD};
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
            Some(loaded) => pack(loaded, table),
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
        let (table, source) = Self::declared(layout, table)?;
        pack(&Loaded::new(layout, source, batches)?, table)
    }

    /// A table of the layout, with its source.
    pub(super) fn declared(
        layout: &Layout,
        table: TableId,
    ) -> Result<(&TableLayout, &SourceLayout), FeatureError> {
        let unknown = || FeatureError::Bug(format!("no table {}", table.0));
        let table = layout.tables().get(table.0).ok_or_else(unknown)?;
        Ok((table, layout.source(&table.source).ok_or_else(unknown)?))
    }
}

/// The rows of a table, each packed into a few words.
fn pack(loaded: &Loaded<'_>, table: &TableLayout) -> Result<BaseTable, FeatureError> {
    let no_key = || FeatureError::Bug(format!("key column `{}` was not read", table.key));
    let key_column = loaded.columns[table.key_column].as_ref().ok_or_else(no_key)?;
    let key_column = as_keys(key_column);
    let keyed = Keyed::new(&key_column, loaded.event_time.len());
    let (order, starts) = keyed.sort(|row| loaded.canonical(row));
    let columns = table
        .needed
        .par_iter()
        .filter_map(|number| Some((*number, loaded.columns[*number].as_ref()?)))
        .map(|(number, column)| Ok((number, gather(column, &order)?)))
        .collect::<Result<_, FeatureError>>()?;
    let sorted =
        Sorted { order: &order, event_time: &loaded.event_time, available: &loaded.available, columns };
    Ok(BaseTable {
        keys: KeyIndex::build(&keyed.keys)?,
        starts: starts.into(),
        arrival: order.iter().map(|row| loaded.arrival[*row as usize]).collect(),
        packed: PackedTable::pack(&sorted, loaded.source.width()),
    })
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
    let mut words: Vec<ArcStr> = Vec::new();
    let mut codes = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(text) = column.text(*row as usize) else {
            codes.push(NO_WORD);
            continue;
        };
        codes.push(*met.entry(text).or_insert_with(|| {
            words.push(text.into());
            words.len() as u32 - 1
        }));
    }
    if words.iter().map(|word| word.len() as u64).sum::<u64>() > u64::from(u32::MAX) {
        return Err(FeatureError::Shape("the distinct texts of one column take more than 4 GiB".to_owned()));
    }
    Ok(Source::Coded(codes, words.into()))
}
