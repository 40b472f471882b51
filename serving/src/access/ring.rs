//! The keys in memory: what a request is compared with.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rustc_hash::FxHashMap;
use scorehouse_features::time::Timestamp;

use super::caller::Caller;
use super::key;
use super::store::KeyRecord;
use crate::error::ServeError;

/// Every key that was not revoked, by its id.
#[derive(Default)]
pub struct KeyRing {
    keys: FxHashMap<String, Arc<HeldKey>>,
    /// True once any key was ever made, also when all are revoked by now: a server whose last key is revoked
    /// stays closed.
    ever: bool,
}

/// One key.
pub struct HeldKey {
    record: KeyRecord,
    hash: blake3::Hash,
    caller: Caller,
    /// Microseconds since 1970; 0 for never.
    last_used: AtomicI64,
    /// The moment that the store knows of.
    told: AtomicI64,
}

impl KeyRing {
    /// The ring over these records; a key that has not changed keeps its place, its pace and its last use.
    pub fn of(records: Vec<KeyRecord>, before: &Self, caller: impl Fn(&KeyRecord) -> Caller) -> Self {
        let ever = !records.is_empty();
        let held = |record: KeyRecord| {
            if let Some(known) = before.keys.get(&record.id).filter(|known| known.record.is_same(&record)) {
                return Some((record.id, Arc::clone(known)));
            }
            let hash = blake3::Hash::from_hex(&record.hash).ok()?;
            let last_used = record.last_used.map_or(0, |moment| moment.0);
            let held = HeldKey {
                hash,
                caller: caller(&record),
                last_used: AtomicI64::new(last_used),
                told: AtomicI64::new(last_used),
                record,
            };
            Some((held.record.id.clone(), Arc::new(held)))
        };
        let valid = records.into_iter().filter(|record| record.revoked.is_none());
        Self { keys: valid.filter_map(held).collect(), ever }
    }

    /// True when no key was ever made.
    pub const fn is_unused(&self) -> bool {
        !self.ever
    }

    /// The caller who holds this key.
    ///
    /// # Errors
    /// [`ServeError::Unauthorized`], which does not say whether the id or the secret was wrong.
    pub fn open(&self, id: &str, secret: &str, now: Timestamp) -> Result<&Caller, ServeError> {
        let given = key::hash(secret);
        let held = self.keys.get(id);
        // `blake3::Hash` compares in constant time.
        let held = held.filter(|held| held.hash == given).ok_or(UNKNOWN)?;
        if !held.record.is_valid(now) {
            return Err(ServeError::Unauthorized { reason: "the key has expired" });
        }
        held.last_used.store(now.0, Ordering::Relaxed);
        Ok(&held.caller)
    }

    /// Keys used since the store was last told, and when.
    pub fn take_used(&self) -> Vec<(String, Timestamp)> {
        let used = self.keys.values().filter_map(|held| {
            let last = held.last_used.load(Ordering::Relaxed);
            let news = held.told.swap(last, Ordering::Relaxed) != last;
            news.then(|| (held.record.id.clone(), Timestamp(last)))
        });
        used.collect()
    }
}

const UNKNOWN: ServeError = ServeError::Unauthorized { reason: "the key is not known" };

impl KeyRecord {
    /// True when nothing but the last use may differ.
    fn is_same(&self, other: &Self) -> bool {
        let same = (&self.name, self.role, &self.attributes, self.expires, self.revoked, &self.hash);
        same == (&other.name, other.role, &other.attributes, other.expires, other.revoked, &other.hash)
    }
}
