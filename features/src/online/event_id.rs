//! Names that senders give to rows, so that sending twice counts once.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use crate::ids::SourceName;

/// A sender's name for one row: any text of 1 to 256 bytes, unique within its source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventId(Box<str>);

impl EventId {
    /// Takes `text` over; none when it is empty or longer than 256 bytes.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (1..=256).contains(&text.len()).then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 128 bits of BLAKE3 over source and id: what is remembered of it.
    pub(crate) fn fingerprint(&self, source: &SourceName) -> Fingerprint {
        let mut hasher = blake3::Hasher::new();
        hasher.update(source.as_str().as_bytes()).update(&[0]).update(self.0.as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Fingerprint(u128::from_le_bytes(first))
    }
}

/// What is remembered of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint(pub(crate) u128);

/// The ids taken in last, up to a fixed number.
#[derive(Debug)]
pub(crate) struct RecentIds {
    limit: usize,
    order: VecDeque<Fingerprint>,
    held: FxHashSet<Fingerprint>,
}

impl RecentIds {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, order: VecDeque::new(), held: FxHashSet::default() }
    }

    pub(crate) fn contains(&self, id: Fingerprint) -> bool {
        self.held.contains(&id)
    }

    /// Remembers `id`, forgetting the oldest beyond the limit.
    pub(crate) fn insert(&mut self, id: Fingerprint) {
        if !self.held.insert(id) {
            return;
        }
        self.order.push_back(id);
        while self.order.len() > self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.held.remove(&oldest);
            }
        }
    }

    /// All ids, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Fingerprint> + '_ {
        self.order.iter().copied()
    }
}
