//! Rows pushed since the base was built, by table and key.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::online::base::{Base, BaseTable};
use crate::online::rows::{Added, EntityRows, MergedRows, StoredRow};
use crate::view::TableId;
use crate::view::key::hash;

/// Locks per table, so that a push to one entity seldom waits for a reader of another.
const SHARDS: usize = 16;

/// The pushed rows of one table.
#[derive(Debug)]
pub(crate) struct OverlayTable {
    shards: [RwLock<FxHashMap<Box<str>, Vec<Added>>>; SHARDS],
    /// Keys that the base does not hold, for listing.
    new_keys: RwLock<BTreeSet<Box<str>>>,
}

impl Default for OverlayTable {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| RwLock::default()), new_keys: RwLock::default() }
    }
}

impl OverlayTable {
    fn shard(&self, key: &str) -> &RwLock<FxHashMap<Box<str>, Vec<Added>>> {
        &self.shards[(hash(key.as_bytes()) >> 60) as usize % SHARDS]
    }

    fn insert(&self, base: &BaseTable, key: &str, row: &Arc<StoredRow>) {
        let before = base.before(key, row.order());
        if !base.has(key) && !self.new_keys.read_recursive().contains(key) {
            self.new_keys.write().insert(key.into());
        }
        let mut shard = self.shard(key).write();
        let added = match shard.get_mut(key) {
            Some(added) => added,
            None => shard.entry(key.into()).or_default(),
        };
        let at = added.partition_point(|other| other.row.order() < row.order());
        added.insert(at, Added { row: row.clone(), before });
    }

    fn visit(&self, base: &BaseTable, key: &str, see: &mut dyn FnMut(&EntityRows<'_>)) {
        // Recursive, because what sees the rows of one entity may ask for those of another.
        let shard = self.shard(key).read_recursive();
        match shard.get(key) {
            Some(added) => see(&EntityRows::Merged(MergedRows::new(base.rows(key), added))),
            None => {
                drop(shard);
                see(&EntityRows::Base(base.rows(key)));
            }
        }
    }

    fn new_keys_after(&self, after: Option<&str>, limit: usize) -> Vec<Box<str>> {
        use std::ops::Bound;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = self.new_keys.read_recursive();
        keys.range::<str, _>((from, Bound::Unbounded)).take(limit).cloned().collect()
    }
}

/// A base with what was pushed since: all that a reader needs, replaced as a whole when the base is.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) base: Base,
    overlay: Vec<OverlayTable>,
}

impl Generation {
    pub(crate) fn new(base: Base, tables: usize) -> Self {
        Self { base, overlay: (0..tables).map(|_| OverlayTable::default()).collect() }
    }

    /// Makes a row visible under its key in one table.
    pub(crate) fn insert(&self, table: TableId, key: &str, row: &Arc<StoredRow>) {
        if let (Some(base), Some(overlay)) = (self.base.table(table), self.overlay.get(table.0)) {
            overlay.insert(base, key, row);
        }
    }

    /// Shows the rows of one entity; false when there is no such table.
    pub(crate) fn visit(&self, table: TableId, key: &str, see: &mut dyn FnMut(&EntityRows<'_>)) -> bool {
        let (Some(base), Some(overlay)) = (self.base.table(table), self.overlay.get(table.0)) else {
            return false;
        };
        overlay.visit(base, key, see);
        true
    }

    /// Up to `limit` keys after `after` in one table, ascending.
    pub(crate) fn keys_after(&self, table: TableId, after: Option<&str>, limit: usize) -> Vec<Box<str>> {
        let (Some(base), Some(overlay)) = (self.base.table(table), self.overlay.get(table.0)) else {
            return Vec::new();
        };
        let mut keys = overlay.new_keys_after(after, limit);
        keys.extend(base.keys_after(after, limit).map(Box::from));
        keys.sort_unstable();
        keys.truncate(limit);
        keys
    }
}
