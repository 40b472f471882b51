//! The seam between what asks for features and where they are kept.

use crate::ids::{EntityKey, EntityName, SourceName};
use crate::online::error::OnlineError;
use crate::online::event_id::EventId;
use crate::online::log::Position;
use crate::online::rows::EntityRows;
use crate::time::Timestamp;
use crate::value::Value;
use crate::view::{Layout, TableId};

/// A row as it is pushed: checked against its source, computed columns filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct PushedRow {
    /// When it happened.
    pub event_time: Timestamp,
    /// When it became known.
    pub available: Timestamp,
    /// Its place in the order in which the store took rows in, strictly ascending: the clock's microseconds,
    /// or one more than the row before. The store sets it; what is given to
    /// [`append`](OnlineStore::append) is ignored.
    pub arrival: i64,
    /// The source's stored columns in order.
    pub values: Vec<Value>,
    /// The sender's name for this row. A row whose id was taken in before is not taken in again, so that a
    /// sender that heard no answer may send it again.
    pub id: Option<EventId>,
}

/// What became of rows that were pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Rows taken in; durable and visible.
    pub accepted: usize,
    /// Rows whose id had been taken in before.
    pub duplicates: usize,
    /// A position that these rows do not lie beyond: once history is drained up to it, it holds them.
    pub position: Position,
}

/// Some keys of an entity, ascending by their bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyPage {
    /// The keys.
    pub keys: Vec<EntityKey>,
    /// True when there are more; ask again after the last of these.
    pub more: bool,
}

/// Where the present state of every entity is kept.
///
/// Implementations pass the suite in `online::conformance`.
pub trait OnlineStore: Send + Sync {
    /// The numbering of tables and columns that this store was opened for.
    fn layout(&self) -> &Layout;

    /// Takes rows in, all or none. Returns when they are durable and every later read sees them; the call
    /// blocks for that long, calls from several threads share the wait.
    ///
    /// A reader may meet some of the rows of one call before the others.
    ///
    /// # Errors
    /// [`OnlineError::UnknownSource`] and [`OnlineError::WrongRow`] when the rows are not of that source;
    /// [`OnlineError::NotDurable`] when they could not be written (disk full, for one): none was taken in, and
    /// the store can be read and tried again.
    fn append(&self, source: &SourceName, rows: Vec<PushedRow>) -> Result<Receipt, OnlineError>;

    /// Shows `see` the rows of one entity in one table; an entity never seen has no rows. Called exactly
    /// once.
    ///
    /// # Errors
    /// [`OnlineError::UnknownTable`] for a table that is not in the layout, and what the store reports.
    fn visit(
        &self,
        table: TableId,
        key: &str,
        see: &mut dyn FnMut(&EntityRows<'_>),
    ) -> Result<(), OnlineError>;

    /// Shows `see` the rows of several entities in one table, each with the place that came with its key, in any order;
    /// what [`visit`](Self::visit) shows of each, at less cost.
    ///
    /// # Errors
    /// As for [`visit`](Self::visit).
    fn visit_all<'k>(
        &self,
        table: TableId,
        keys: &mut dyn Iterator<Item = (usize, &'k str)>,
        see: &mut dyn FnMut(usize, &EntityRows<'_>),
    ) -> Result<(), OnlineError> {
        for (place, key) in keys {
            self.visit(table, key, &mut |rows| see(place, rows))?;
        }
        Ok(())
    }

    /// The keys of an entity that have at least one row in any of its tables, up to `limit` of them, after
    /// `after`.
    ///
    /// # Errors
    /// [`OnlineError::UnknownEntity`] for an entity that no view describes, and what the store reports.
    fn keys(
        &self,
        entity: &EntityName,
        after: Option<&EntityKey>,
        limit: usize,
    ) -> Result<KeyPage, OnlineError>;

    /// True when the entity has at least one row in any of its tables.
    ///
    /// # Errors
    /// As for [`keys`](Self::keys).
    fn contains(&self, entity: &EntityName, key: &EntityKey) -> Result<bool, OnlineError> {
        use crate::view::Rows;
        let tables = self.layout().tables_of(entity);
        if tables.is_empty() {
            return Err(OnlineError::UnknownEntity(entity.clone()));
        }
        let mut found = false;
        for table in tables {
            self.visit(*table, key.as_str(), &mut |rows| found |= !rows.is_empty())?;
            if found {
                break;
            }
        }
        Ok(found)
    }
}
