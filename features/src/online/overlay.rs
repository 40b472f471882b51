//! Rows pushed since the base was built, by table and key.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::online::base::{Base, BaseTable};
use crate::online::rows::{Added, EntityRows, MergedRows, StoredRow};
use crate::view::TableId;
use crate::view::key::hash;

/// Locks per table, so that a push to one entity seldom waits for a reader of another.
const SHARDS: usize = 16;

/// The pushed rows of one key, and where the base's stand.
#[derive(Debug)]
struct Pushed {
    base: (usize, usize),
    added: Vec<Added>,
}

/// The pushed rows of one table.
#[derive(Debug)]
pub(crate) struct OverlayTable {
    shards: [RwLock<FxHashMap<Box<str>, Pushed>>; SHARDS],
    /// True once a row was pushed.
    used: AtomicBool,
    /// Keys that the base does not hold, for listing.
    new_keys: RwLock<BTreeSet<Box<str>>>,
}

impl Default for OverlayTable {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            used: AtomicBool::new(false),
            new_keys: RwLock::default(),
        }
    }
}

impl OverlayTable {
    fn insert(&self, base: &BaseTable, key: &str, row: &Arc<StoredRow>) {
        let before = base.before(key, row.order());
        if !base.has(key) && !self.new_keys.read_recursive().contains(key) {
            self.new_keys.write().insert(key.into());
        }
        let mut shard = self.shards[shard(key)].write();
        self.used.store(true, Ordering::Release);
        let pushed = match shard.get_mut(key) {
            Some(pushed) => pushed,
            None => {
                shard.entry(key.into()).or_insert_with(|| Pushed { base: base.range(key), added: Vec::new() })
            }
        };
        let at = pushed.added.partition_point(|other| other.row.order() < row.order());
        pushed.added.insert(at, Added { row: row.clone(), before });
    }

    fn visit(&self, base: &BaseTable, key: &str, see: &mut dyn FnMut(&EntityRows<'_>)) {
        if self.used.load(Ordering::Acquire) {
            // Recursive, because what sees the rows of one entity may ask for those of another.
            let shard = self.shards[shard(key)].read_recursive();
            if let Some(pushed) = shard.get(key) {
                return see(&EntityRows::Merged(MergedRows::new(base.rows_in(pushed.base), &pushed.added)));
            }
        }
        see(&EntityRows::Base(base.rows(key)));
    }

    /// Every lock is taken once: one that several threads take for each key costs more than finding its rows.
    fn visit_all<'k>(
        &self,
        base: &BaseTable,
        keys: &mut dyn Iterator<Item = (usize, &'k str)>,
        see: &mut dyn FnMut(usize, &EntityRows<'_>),
    ) {
        if !self.used.load(Ordering::Acquire) {
            for (place, key) in keys {
                see(place, &EntityRows::Base(base.rows(key)));
            }
            return;
        }
        let keys: Vec<(usize, usize, &str)> = keys.map(|(place, key)| (shard(key), place, key)).collect();
        for (number, shard) in self.shards.iter().enumerate() {
            let mut own = keys.iter().filter(|(shard, ..)| *shard == number).peekable();
            if own.peek().is_none() {
                continue;
            }
            let shard = shard.read_recursive();
            for (_, place, key) in own {
                match shard.get(*key) {
                    Some(pushed) => {
                        let rows = MergedRows::new(base.rows_in(pushed.base), &pushed.added);
                        see(*place, &EntityRows::Merged(rows));
                    }
                    None => see(*place, &EntityRows::Base(base.rows(key))),
                }
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

/// The lock that a key's rows are under.
fn shard(key: &str) -> usize {
    (hash(key.as_bytes()) >> 60) as usize % SHARDS
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

    /// As [`Generation::visit`] for several entities, each shown with the place that came with its key.
    pub(crate) fn visit_all<'k>(
        &self,
        table: TableId,
        keys: &mut dyn Iterator<Item = (usize, &'k str)>,
        see: &mut dyn FnMut(usize, &EntityRows<'_>),
    ) -> bool {
        let (Some(base), Some(overlay)) = (self.base.table(table), self.overlay.get(table.0)) else {
            return false;
        };
        overlay.visit_all(base, keys, see);
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
