//! The online store that needs nothing but memory and a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::definition::Project;
use crate::ids::{EntityKey, EntityName, SourceName};
use crate::online::base::Base;
use crate::online::commit::{Committer, Draft, DraftRow, Pending};
use crate::online::error::OnlineError;
use crate::online::event_id::{EventId, RecentIds};
use crate::online::interface::{KeyPage, OnlineStore, PushedRow, Receipt};
use crate::online::log::{LogWriter, Position, Replayed, encode_row};
use crate::online::overlay::Generation;
use crate::online::rows::{EntityRows, StoredRow, mismatch};
use crate::time::Clock;
use crate::view::key::key_text;
use crate::view::{Layout, SourceLayout, TableId};

/// Largest row in the log, in bytes.
const LARGEST_ROW: usize = 16 << 20;

/// Sizes, each with a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// Bytes after which the log begins a new segment (64 MiB).
    pub segment_bytes: u64,
    /// Event ids remembered, over all sources, the latest first to stay (262,144; at least 1,024).
    pub remembered_ids: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, remembered_ids: 1 << 18 }
    }
}

/// How the store stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreStatus {
    /// Rows in the base, counted once per table.
    pub base_rows: usize,
    /// Bytes of the base in memory, roughly.
    pub base_bytes: usize,
    /// Rows pushed since the base was built; rebuild it when they grow many.
    pub pushed_rows: usize,
    /// The last position of the log that the base holds.
    pub drained: Position,
    /// The position of the last row taken in.
    pub position: Position,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Files of the log.
    pub log_segments: usize,
    /// Bytes of an unfinished, never acknowledged write that opening cut off.
    pub cut_off_bytes: u64,
    /// Rows in the log whose source is no longer declared; they are kept in the log, and not shown.
    pub undeclared_rows: usize,
}

/// A row that was pushed since the base was built, with its source.
type Pushed = (usize, StoredRow);

/// Base, overlay and log.
pub struct EmbeddedStore {
    layout: Layout,
    /// For each source of the layout, its tables.
    tables: Vec<Vec<TableId>>,
    generation: ArcSwap<Generation>,
    /// All rows shown over the base, in order of arrival; locked while rows are made visible.
    pushed: Mutex<Vec<Pushed>>,
    committer: Committer,
    opened: (u64, usize),
    log: PathBuf,
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedStore").field("log", &self.log).field("status", &self.status()).finish()
    }
}

impl EmbeddedStore {
    /// Opens the store over `base` and the log in the folder `log`, which is created if need be. Rows in the
    /// log that the base does not hold are shown again.
    ///
    /// # Errors
    /// [`OnlineError::OtherProject`] when `base` was built for another layout; [`OnlineError::Gap`] when the
    /// log no longer holds rows that the base lacks; [`OnlineError::InUse`], [`OnlineError::Corrupt`] and
    /// [`OnlineError::Io`].
    pub fn open(
        project: &Project,
        base: Base,
        log: &Path,
        options: StoreOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OnlineError> {
        let layout = Layout::of(project)?;
        if base.layout_digest() != layout.digest() {
            return Err(OnlineError::OtherProject);
        }
        let tables = tables_by_source(&layout);
        let drained = base.drained();
        let generation = Generation::new(base, layout.tables().len());
        let mut recent = RecentIds::new(options.remembered_ids.max(1024));
        let mut pushed: Vec<Pushed> = Vec::new();
        let mut see = |found: Replayed<'_>| match found {
            Replayed::Id(id) => recent.insert(id),
            Replayed::Rows(source, rows) => {
                for row in rows {
                    if let Some(id) = &row.id {
                        recent.insert(id.fingerprint(source));
                    }
                    let known = layout.sources().get_full(source).filter(|_| row.arrival > drained.0);
                    if let Some((number, _, layout)) = known {
                        pushed.push((number, stored(layout, row)));
                    }
                }
            }
        };
        let writer =
            LogWriter::open(log, drained, options.segment_bytes, (&layout, clock.as_ref()), &mut see)?;
        let opened = (writer.cut_off, writer.undeclared);
        for (source, row) in &pushed {
            show_row(&generation, &layout, &tables[*source], row);
        }
        Ok(Self {
            tables,
            generation: ArcSwap::from_pointee(generation),
            pushed: Mutex::new(pushed),
            committer: Committer::new(writer, recent, clock),
            opened,
            log: log.to_owned(),
            layout,
        })
    }

    /// Replaces the base by a newer one, built from history after rows up to its
    /// [`drained`](Base::drained) position were taken over from the log. Rows pushed later are laid over it.
    ///
    /// Reads go on meanwhile and see either all of the old state or all of the new; pushes wait only for
    /// what was pushed during the rebuilding.
    ///
    /// # Errors
    /// [`OnlineError::OtherProject`] when it was built for another layout; [`OnlineError::Gap`] when it holds
    /// less of the log than the base in place.
    pub fn replace_base(&self, base: Base) -> Result<(), OnlineError> {
        if base.layout_digest() != self.layout.digest() {
            return Err(OnlineError::OtherProject);
        }
        let drained = base.drained();
        let generation = Generation::new(base, self.layout.tables().len());
        let early = self.pushed.lock().clone();
        let begins = self.generation.load().base.drained();
        if drained < begins {
            return Err(OnlineError::Gap { begins, wanted: drained });
        }
        for (source, row) in early.iter().filter(|(_, row)| row.arrival > drained.0) {
            show_row(&generation, &self.layout, &self.tables[*source], row);
        }
        let mut pushed = self.pushed.lock();
        let shown = early.last().map_or(i64::MIN, |(_, row)| row.arrival).max(drained.0);
        for (source, row) in pushed.iter().filter(|(_, row)| row.arrival > shown) {
            show_row(&generation, &self.layout, &self.tables[*source], row);
        }
        pushed.retain(|(_, row)| row.arrival > drained.0);
        self.generation.store(Arc::new(generation));
        Ok(())
    }

    /// Deletes log segments that both history and the base in place hold. Returns how many.
    ///
    /// # Errors
    /// [`OnlineError::Io`].
    pub fn checkpoint(&self, taken: Position) -> Result<usize, OnlineError> {
        let held = self.generation.load().base.drained();
        self.committer.checkpoint(taken.min(held))
    }

    /// How the store stands.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        let generation = self.generation.load();
        let (log_bytes, log_segments) = self.committer.log_size();
        StoreStatus {
            base_rows: generation.base.len(),
            base_bytes: generation.base.bytes(),
            pushed_rows: self.pushed.lock().len(),
            drained: generation.base.drained(),
            position: self.committer.position(),
            log_bytes,
            log_segments,
            cut_off_bytes: self.opened.0,
            undeclared_rows: self.opened.1,
        }
    }

    /// The folder of the log.
    #[must_use]
    pub fn log_folder(&self) -> &Path {
        &self.log
    }

    fn show(&self, pending: &[Pending]) {
        let mut pushed = self.pushed.lock();
        let generation = self.generation.load();
        // A base built from the log may hold rows that were on disk but not yet shown.
        let drained = generation.base.drained().0;
        for one in pending {
            let Some(source) = self.layout.sources().get_index_of(&one.source) else { continue };
            for row in one.rows.iter().filter(|row| row.arrival > drained) {
                show_row(&generation, &self.layout, &self.tables[source], row);
                pushed.push((source, row.clone()));
            }
        }
    }

    fn draft(&self, source: &SourceName, rows: Vec<PushedRow>) -> Result<Draft, OnlineError> {
        let layout = self.layout.source(source).ok_or_else(|| OnlineError::UnknownSource(source.clone()))?;
        let mut drafts = Vec::with_capacity(rows.len());
        for (number, row) in rows.into_iter().enumerate() {
            let wrong = |reason| OnlineError::WrongRow { source_name: source.clone(), row: number, reason };
            check(layout, &row).map_err(wrong)?;
            let mut bytes = Vec::with_capacity(32 + row.values.len() * 16);
            encode_row(&mut bytes, &row);
            if bytes.len() > LARGEST_ROW {
                return Err(wrong(format!("{} bytes are more than {LARGEST_ROW}", bytes.len())));
            }
            let id = row.id.as_ref().map(|id: &EventId| id.fingerprint(source));
            drafts.push(DraftRow { row: stored(layout, row), bytes, id });
        }
        Ok(Draft { source: source.clone(), rows: drafts })
    }

    #[cfg(test)]
    pub(crate) fn committer(&self) -> &Committer {
        &self.committer
    }
}

impl OnlineStore for EmbeddedStore {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn append(&self, source: &SourceName, rows: Vec<PushedRow>) -> Result<Receipt, OnlineError> {
        let draft = self.draft(source, rows)?;
        self.committer.commit(draft, &self.layout, &|pending| self.show(pending))
    }

    fn visit(
        &self,
        table: TableId,
        key: &str,
        see: &mut dyn FnMut(&EntityRows<'_>),
    ) -> Result<(), OnlineError> {
        let generation = self.generation.load();
        if generation.visit(table, key, see) { Ok(()) } else { Err(OnlineError::UnknownTable(table.0)) }
    }

    fn visit_all<'k>(
        &self,
        table: TableId,
        keys: &mut dyn Iterator<Item = (usize, &'k str)>,
        see: &mut dyn FnMut(usize, &EntityRows<'_>),
    ) -> Result<(), OnlineError> {
        let generation = self.generation.load();
        if generation.visit_all(table, keys, see) { Ok(()) } else { Err(OnlineError::UnknownTable(table.0)) }
    }

    fn keys(
        &self,
        entity: &EntityName,
        after: Option<&EntityKey>,
        limit: usize,
    ) -> Result<KeyPage, OnlineError> {
        let tables = self.layout.tables_of(entity);
        if tables.is_empty() {
            return Err(OnlineError::UnknownEntity(entity.clone()));
        }
        let generation = self.generation.load();
        let after = after.map(EntityKey::as_str);
        let wanted = limit.saturating_add(1);
        let of_table = |table: &TableId| generation.keys_after(*table, after, wanted);
        let mut keys: Vec<Box<str>> = tables.iter().flat_map(of_table).collect();
        keys.sort_unstable();
        keys.dedup();
        let more = keys.len() > limit;
        let keys = keys.iter().take(limit).filter_map(|key| EntityKey::new(key).ok()).collect();
        Ok(KeyPage { keys, more })
    }
}

fn tables_by_source(layout: &Layout) -> Vec<Vec<TableId>> {
    let of_source = |source: &SourceLayout| {
        let tables = layout.tables().iter().enumerate();
        tables.filter(|(_, table)| table.source == source.name).map(|(number, _)| TableId(number)).collect()
    };
    layout.sources().values().map(of_source).collect()
}

/// The row as memory keeps it: filters evaluated.
fn stored(layout: &SourceLayout, row: PushedRow) -> StoredRow {
    let PushedRow { event_time, available, arrival, mut values, .. } = row;
    values.reserve_exact(layout.filters.len());
    layout.apply_filters(event_time, &mut values);
    StoredRow { event_time, available, arrival, values: values.into() }
}

fn show_row(generation: &Generation, layout: &Layout, tables: &[TableId], row: &StoredRow) {
    for table in tables {
        let key_column = layout.tables()[table.0].key_column;
        if let Some(key) = row.values.get(key_column).and_then(key_text) {
            generation.insert(*table, &key, row);
        }
    }
}

/// What is wrong with a row, if anything.
fn check(layout: &SourceLayout, row: &PushedRow) -> Result<(), String> {
    if row.values.len() != layout.columns.len() {
        return Err(format!("{} values for {} columns", row.values.len(), layout.columns.len()));
    }
    for ((name, value_type), value) in layout.columns.iter().zip(&row.values) {
        if let Some(reason) = mismatch(value, *value_type) {
            return Err(format!("column `{name}`: {reason}"));
        }
    }
    Ok(())
}
