//! Rows pushed since the base was built, by table and key.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use smol_str::SmolStr;

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
    /// A single one stands here itself: most entities have no more in the tables of what is known of them last.
    added: SmallVec<[Added; 1]>,
}

impl Pushed {
    fn over<'a>(&'a self, base: &'a BaseTable) -> MergedRows<'a> {
        MergedRows::new(base.rows_in(self.base), &self.added)
    }
}

/// The pushed rows of one table.
#[derive(Debug)]
pub(crate) struct OverlayTable {
    shards: [RwLock<FxHashMap<SmolStr, Pushed>>; SHARDS],
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
    fn insert(&self, base: &BaseTable, key: &str, row: &StoredRow) {
        let before = base.before(key, row.order());
        if !base.has(key) && !self.new_keys.read_recursive().contains(key) {
            self.new_keys.write().insert(key.into());
        }
        let mut shard = self.shards[shard(key)].write();
        self.used.store(true, Ordering::Release);
        let pushed = match shard.get_mut(key) {
            Some(pushed) => pushed,
            None => shard
                .entry(key.into())
                .or_insert_with(|| Pushed { base: base.range(key), added: SmallVec::new() }),
        };
        let at = pushed.added.partition_point(|other| other.row.order() < row.order());
        pushed.added.insert(at, Added { row: row.clone(), before });
    }

    fn visit(&self, base: &BaseTable, key: &str, see: &mut dyn FnMut(&EntityRows<'_>)) {
        if self.used.load(Ordering::Acquire) {
            // Recursive, because what sees the rows of one entity may ask for those of another.
            let shard = self.shards[shard(key)].read_recursive();
            if let Some(pushed) = shard.get(key) {
                return see(&EntityRows::Merged(pushed.over(base)));
            }
        }
        see(&EntityRows::Base(base.rows(key)));
    }

    /// First all rows are found, then all are seen: a search that waits for memory does not hold up the next. All locks
    /// are taken for it, each once: one that several threads take for each key costs more than finding its rows.
    fn visit_all<'k>(
        &self,
        base: &BaseTable,
        keys: &mut dyn Iterator<Item = (usize, &'k str)>,
        see: &mut dyn FnMut(usize, &EntityRows<'_>),
    ) {
        let mut keys = keys.peekable();
        let Some((place, first)) = keys.next() else { return };
        if keys.peek().is_none() {
            return self.visit(base, first, &mut |rows| see(place, rows));
        }
        let keys = std::iter::once((place, first)).chain(keys);
        let used = self.used.load(Ordering::Acquire);
        let shards = used.then(|| self.shards.each_ref().map(RwLock::read_recursive));
        let pushed = |key: &str| shards.as_ref()?[shard(key)].get(key);
        let rows = |key: &str| match pushed(key) {
            Some(pushed) => EntityRows::Merged(pushed.over(base)),
            None => EntityRows::Base(base.rows(key)),
        };
        let found: Vec<_> = keys.map(|(place, key)| (place, rows(key))).collect();
        found.iter().for_each(|(place, rows)| see(*place, rows));
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
    pub(crate) fn insert(&self, table: TableId, key: &str, row: &StoredRow) {
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
