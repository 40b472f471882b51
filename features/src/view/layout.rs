//! Which columns of which source the features of a project need, and under which numbers.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::definition::{Aggregate, Pipeline, Project, Source, UpsellSpec, ViewKind, WinSpec};
use crate::error::FeatureError;
use crate::expression::Expression;
use crate::ids::{ColumnName, EntityName, SourceName};
use crate::time::Timestamp;
use crate::value::{Value, ValueType};

/// The numbering of sources' columns and of the tables that features are read from.
///
/// It follows from the project alone. Two projects with the same [`digest`](Self::digest) agree on it, so
/// that a snapshot written under one can be read under the other.
#[derive(Debug, Clone)]
pub struct Layout {
    sources: IndexMap<SourceName, SourceLayout>,
    tables: Vec<TableLayout>,
    entities: IndexMap<EntityName, Vec<TableId>>,
    digest: String,
}

/// One source: its stored columns in order, then one Bool column per filter that some view has on it.
///
/// A filter is evaluated once for a row, when the row is stored; `as_of()` in it means the row's event time.
#[derive(Debug, Clone)]
pub struct SourceLayout {
    /// The source.
    pub name: SourceName,
    /// Its stored columns: column `i` is number `i`.
    pub columns: Vec<(ColumnName, ValueType)>,
    /// The filters: filter `i` is number `columns.len() + i`.
    pub filters: Vec<Expression>,
}

/// Number of a table in its [`Layout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub usize);

/// The rows of one source, found by the key that stands in one of its columns.
#[derive(Debug, Clone)]
pub struct TableLayout {
    /// The source.
    pub source: SourceName,
    /// The column that holds the key.
    pub key: ColumnName,
    /// Its number.
    pub key_column: usize,
    /// Numbers of the columns that features read, filters included, ascending.
    pub needed: Vec<usize>,
}

impl SourceLayout {
    fn of(source: &Source) -> Self {
        let columns = source.columns.iter().map(|c| (c.name.clone(), c.value_type)).collect();
        Self { name: source.name.clone(), columns, filters: Vec::new() }
    }

    /// Number of columns, filters included.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.len() + self.filters.len()
    }

    /// The number and type of a stored column.
    #[must_use]
    pub fn column(&self, name: &ColumnName) -> Option<(usize, ValueType)> {
        let number = self.columns.iter().position(|(known, _)| known == name)?;
        Some((number, self.columns[number].1))
    }

    /// The number of the Bool column that holds a filter's outcome, for a filter that this layout was made
    /// with.
    #[must_use]
    pub fn filter(&self, filter: &Expression) -> Option<usize> {
        let number = self.filters.iter().position(|known| known.text() == filter.text())?;
        Some(self.columns.len() + number)
    }

    /// The type of a column by its number.
    #[must_use]
    pub fn value_type(&self, number: usize) -> ValueType {
        self.columns.get(number).map_or(ValueType::Bool, |(_, value_type)| *value_type)
    }

    /// The numbers of stored columns that the filters among `needed` read.
    #[must_use]
    pub fn filter_inputs(&self, needed: &[usize]) -> BTreeSet<usize> {
        let chosen =
            needed.iter().filter_map(|number| self.filters.get(number.checked_sub(self.columns.len())?));
        chosen.flat_map(|filter| filter.slots().iter().copied()).collect()
    }

    /// Appends the filters' outcomes to a row's stored values.
    pub fn apply_filters(&self, event_time: Timestamp, values: &mut Vec<Value>) {
        for filter in &self.filters {
            let passes = filter.is_true(&values[..self.columns.len()], event_time);
            values.push(Value::Bool(passes));
        }
    }
}

impl Layout {
    /// The layout of a project: every table that a view, an upsell model or a win model reads.
    ///
    /// # Errors
    /// [`FeatureError::Bug`] when the project names a source or column that it does not declare, which a
    /// checked project does not.
    pub fn of(project: &Project) -> Result<Self, FeatureError> {
        let sources = project.sources.values().map(|s| (s.name.clone(), SourceLayout::of(s))).collect();
        let mut layout =
            Self { sources, tables: Vec::new(), entities: IndexMap::new(), digest: String::new() };
        for view in project.views.values() {
            if let Some(table) = layout.add_view(&view.kind)? {
                let tables = layout.entities.entry(view.entity.clone()).or_default();
                if !tables.contains(&table) {
                    tables.push(table);
                }
            }
        }
        for model in project.models.values() {
            match &model.pipeline {
                Pipeline::Upsell(spec) => layout.add_upsell(spec)?,
                Pipeline::Win(spec) => layout.add_win(project, spec)?,
                _ => {}
            }
        }
        layout.digest = layout.describe();
        Ok(layout)
    }

    fn add_view(&mut self, kind: &ViewKind) -> Result<Option<TableId>, FeatureError> {
        match kind {
            ViewKind::Derived(_) => Ok(None),
            ViewKind::Latest(view) => {
                let table = self.table_or_new(&view.source, &view.key)?;
                self.need_filter(table, view.filter.as_ref())?;
                view.columns.iter().try_for_each(|column| self.need(table, column))?;
                Ok(Some(table))
            }
            ViewKind::Window(view) => {
                let table = self.table_or_new(&view.source, &view.key)?;
                self.need_filter(table, view.filter.as_ref())?;
                for feature in &view.features {
                    self.need_filter(table, feature.filter.as_ref())?;
                    aggregate_column(&feature.aggregate).map_or(Ok(()), |column| self.need(table, column))?;
                }
                Ok(Some(table))
            }
        }
    }

    fn add_upsell(&mut self, spec: &UpsellSpec) -> Result<(), FeatureError> {
        let table = self.table_or_new(&spec.source, &spec.user)?;
        self.need_filter(table, spec.filter.as_ref())?;
        self.need(table, &spec.item)?;
        if let Some(basket) = &spec.basket {
            self.need(table, basket)?;
        }
        for slot in spec.weight.iter().flat_map(|weight| weight.slots()) {
            self.need_number(table, *slot);
        }
        Ok(())
    }

    /// Tells which deals are open: their rows in both sources, if only that there are some.
    fn add_win(&mut self, project: &Project, spec: &WinSpec) -> Result<(), FeatureError> {
        let entity = project.feature_sets.get(&spec.fit.feature_set).map(|set| &set.entity);
        let Some(entity) = entity.and_then(|entity| project.entities.get(entity)) else {
            return Err(FeatureError::Bug(format!("there is no feature set `{}`", spec.fit.feature_set)));
        };
        self.table_or_new(&spec.opened, &entity.key)?;
        self.table_or_new(&spec.closed, &entity.key)?;
        Ok(())
    }

    fn table_or_new(&mut self, source: &SourceName, key: &ColumnName) -> Result<TableId, FeatureError> {
        if let Some(table) = self.table(source, key) {
            return Ok(table);
        }
        let key_column = self.number(source, key)?;
        let table = TableLayout { source: source.clone(), key: key.clone(), key_column, needed: Vec::new() };
        self.tables.push(table);
        Ok(TableId(self.tables.len() - 1))
    }

    fn number(&self, source: &SourceName, column: &ColumnName) -> Result<usize, FeatureError> {
        let layout = self.sources.get(source).and_then(|source| source.column(column));
        let missing = || FeatureError::Bug(format!("source `{source}` has no column `{column}`"));
        layout.map(|(number, _)| number).ok_or_else(missing)
    }

    fn need(&mut self, table: TableId, column: &ColumnName) -> Result<(), FeatureError> {
        let number = self.number(&self.tables[table.0].source, column)?;
        self.need_number(table, number);
        Ok(())
    }

    fn need_number(&mut self, table: TableId, number: usize) {
        let needed = &mut self.tables[table.0].needed;
        if let Err(at) = needed.binary_search(&number) {
            needed.insert(at, number);
        }
    }

    fn need_filter(&mut self, table: TableId, filter: Option<&Expression>) -> Result<(), FeatureError> {
        let Some(filter) = filter else { return Ok(()) };
        let name = self.tables[table.0].source.clone();
        let source =
            self.sources.get_mut(&name).ok_or_else(|| FeatureError::Bug(format!("no source `{name}`")))?;
        let number = source.filter(filter).unwrap_or_else(|| {
            source.filters.push(filter.clone());
            source.width() - 1
        });
        self.need_number(table, number);
        Ok(())
    }

    fn describe(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut write = |text: String| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        for source in self.sources.values() {
            write(format!("source {}", source.name));
            source.columns.iter().for_each(|(name, value_type)| write(format!("{name} {value_type}")));
            source.filters.iter().for_each(|filter| write(format!("where {}", filter.text())));
        }
        for table in &self.tables {
            write(format!("table {} {} {:?}", table.source, table.key, table.needed));
        }
        hasher.finalize().to_hex().to_string()
    }

    /// The table of a source's rows by one of its columns.
    #[must_use]
    pub fn table(&self, source: &SourceName, key: &ColumnName) -> Option<TableId> {
        self.tables.iter().position(|table| &table.source == source && &table.key == key).map(TableId)
    }

    /// All tables; a [`TableId`] is a position in it.
    #[must_use]
    pub fn tables(&self) -> &[TableLayout] {
        &self.tables
    }

    /// One source's layout.
    #[must_use]
    pub fn source(&self, name: &SourceName) -> Option<&SourceLayout> {
        self.sources.get(name)
    }

    /// All sources.
    #[must_use]
    pub const fn sources(&self) -> &IndexMap<SourceName, SourceLayout> {
        &self.sources
    }

    /// The tables that hold rows of an entity.
    #[must_use]
    pub fn tables_of(&self, entity: &EntityName) -> &[TableId] {
        self.entities.get(entity).map_or(&[], Vec::as_slice)
    }

    /// BLAKE3 of all of it, 64 hex digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The stored columns of a source that must be read to fill its tables: keys, needed columns and what
    /// filters read, ascending by number.
    #[must_use]
    pub fn read_columns(&self, source: &SourceName) -> Vec<usize> {
        let Some(layout) = self.sources.get(source) else { return Vec::new() };
        let mut read = BTreeSet::new();
        for table in self.tables.iter().filter(|table| &table.source == source) {
            read.insert(table.key_column);
            read.extend(table.needed.iter().filter(|number| **number < layout.columns.len()));
            read.extend(layout.filter_inputs(&table.needed));
        }
        read.into_iter().collect()
    }
}

/// The column that an aggregate reads.
#[must_use]
pub const fn aggregate_column(aggregate: &Aggregate) -> Option<&ColumnName> {
    match aggregate {
        Aggregate::Count | Aggregate::DaysSinceLast | Aggregate::DaysSinceFirst => None,
        Aggregate::Sum(column)
        | Aggregate::Mean(column)
        | Aggregate::Stddev(column)
        | Aggregate::Min(column)
        | Aggregate::Max(column)
        | Aggregate::Distinct(column)
        | Aggregate::Last(column, _) => Some(column),
    }
}
