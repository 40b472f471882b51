//! Rows pushed since the base was built, by table and key.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashTable;
use parking_lot::RwLock;
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
    key: SmolStr,
    base: (usize, usize),
    /// A single one stands here itself: most entities have no more in the tables of what is known of them last.
    added: SmallVec<[Added; 1]>,
}

impl Pushed {
    fn over<'a>(&'a self, base: &'a BaseTable) -> MergedRows<'a> {
        MergedRows::new(base.rows_in(self.base), &self.added)
    }
}

/// Pushed rows by key.
type Shard = HashTable<Pushed>;

fn find<'a>(shard: &'a Shard, hash: u64, key: &str) -> Option<&'a Pushed> {
    shard.find(hash, |pushed| pushed.key == key)
}

/// Where the rows of a key were found.
#[derive(Clone, Copy)]
enum Found<'a> {
    Pushed(&'a Pushed),
    Base((usize, usize)),
}

impl<'a> Found<'a> {
    fn rows(self, base: &'a BaseTable) -> EntityRows<'a> {
        match self {
            Self::Pushed(pushed) => EntityRows::Merged(pushed.over(base)),
            Self::Base(range) => EntityRows::Base(base.rows_in(range)),
        }
    }

    /// Looks at the newest row, so that it is on its way from memory when it is read: rows that are asked for one right
    /// after the other come together.
    fn touch(self, base: &BaseTable) {
        match self {
            Self::Pushed(pushed) => {
                let values = pushed.added.last().map_or(&[][..], |newest| &newest.row.values);
                // Four lie in one line of the cache.
                black_box(values.iter().step_by(4).filter(|value| value.is_missing()).count());
            }
            Self::Base(range) => {
                black_box(base.rows_in(range).newest_word());
            }
        }
    }
}

/// The pushed rows of one table.
#[derive(Debug)]
pub(crate) struct OverlayTable {
    shards: [RwLock<Shard>; SHARDS],
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
        let hash_of = |pushed: &Pushed| hash(pushed.key.as_bytes());
        let number = hash(key.as_bytes());
        let mut shard = self.shards[shard(number)].write();
        self.used.store(true, Ordering::Release);
        let fresh = || Pushed { key: key.into(), base: base.range(key), added: SmallVec::new() };
        let mut entry = shard.entry(number, |pushed| pushed.key == key, hash_of).or_insert_with(fresh);
        let pushed = entry.get_mut();
        let at = pushed.added.partition_point(|other| other.row.order() < row.order());
        pushed.added.insert(at, Added { row: row.clone(), before });
    }

    fn visit(&self, base: &BaseTable, key: &str, see: &mut dyn FnMut(&EntityRows<'_>)) {
        if self.used.load(Ordering::Acquire) {
            let number = hash(key.as_bytes());
            // Recursive, because what sees the rows of one entity may ask for those of another.
            let shard = self.shards[shard(number)].read_recursive();
            if let Some(pushed) = find(&shard, number, key) {
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
        let pushed = |key: &str| {
            let number = hash(key.as_bytes());
            find(&shards.as_ref()?[shard(number)], number, key)
        };
        let find = |key: &str| pushed(key).map_or_else(|| Found::Base(base.range(key)), Found::Pushed);
        let found: Vec<(usize, Found<'_>)> = keys.map(|(place, key)| (place, find(key))).collect();
        found.iter().for_each(|(_, found)| found.touch(base));
        found.iter().for_each(|(place, found)| see(*place, &found.rows(base)));
    }

    fn new_keys_after(&self, after: Option<&str>, limit: usize) -> Vec<Box<str>> {
        use std::ops::Bound;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = self.new_keys.read_recursive();
        keys.range::<str, _>((from, Bound::Unbounded)).take(limit).cloned().collect()
    }
}

/// The lock that a key's rows are under, by bits of its hash that a shard's table does not look at.
const fn shard(hash: u64) -> usize {
    (hash >> 40) as usize % SHARDS
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
