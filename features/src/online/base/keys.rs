//! Keys of one table: sorted, and found by hash.

use arrow_buffer::{Buffer, ScalarBuffer};

use crate::error::FeatureError;
use crate::view::key::hash;

/// A free slot.
const FREE: u32 = u32::MAX;

/// Distinct keys in ascending order of their bytes, with an open-addressing table of their positions.
///
/// All of it is plain arrays, so that it loads without being built again.
#[derive(Debug, Clone)]
pub(crate) struct KeyIndex {
    /// All keys' bytes, one after the other.
    pub(crate) text: Buffer,
    /// Key `i` ends at `ends[i]` and begins where the one before ends.
    pub(crate) ends: ScalarBuffer<u32>,
    /// Positions by hash; a power of two of them, at least half of them [`FREE`].
    pub(crate) slots: ScalarBuffer<u32>,
}

impl Default for KeyIndex {
    fn default() -> Self {
        Self { text: Buffer::from(&[] as &[u8]), ends: Vec::new().into(), slots: vec![FREE].into() }
    }
}

impl KeyIndex {
    /// An index of `keys`, which ascend and are distinct.
    pub(crate) fn build(keys: &[&str]) -> Result<Self, FeatureError> {
        let total: usize = keys.iter().map(|key| key.len()).sum();
        if u32::try_from(total).is_err() {
            return Err(FeatureError::Shape("the keys of one table take more than 4 GiB".to_owned()));
        }
        let mut text = Vec::with_capacity(total);
        let mut ends = Vec::with_capacity(keys.len());
        let mut slots = vec![FREE; (keys.len() * 2).next_power_of_two()];
        for (at, key) in keys.iter().enumerate() {
            text.extend_from_slice(key.as_bytes());
            ends.push(text.len() as u32);
            let mask = slots.len() - 1;
            let mut slot = hash(key.as_bytes()) as usize & mask;
            while slots[slot] != FREE {
                slot = (slot + 1) & mask;
            }
            slots[slot] = at as u32;
        }
        Ok(Self { text: Buffer::from_vec(text), ends: ends.into(), slots: slots.into() })
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.ends.len() * 4 + self.slots.len() * 4
    }

    fn key_bytes(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.text[start..self.ends[at] as usize]
    }

    /// The key at a position.
    pub(crate) fn get(&self, at: usize) -> &str {
        // The bytes were checked to be UTF-8 when the index was built or loaded.
        std::str::from_utf8(self.key_bytes(at)).unwrap_or_default()
    }

    /// The position of `key`.
    pub(crate) fn find(&self, key: &str) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash(key.as_bytes()) as usize & mask;
        loop {
            let at = self.slots[slot];
            if at == FREE {
                return None;
            }
            if self.key_bytes(at as usize) == key.as_bytes() {
                return Some(at as usize);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// The position of the first key greater than `key`.
    pub(crate) fn first_after(&self, key: &str) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.key_bytes(middle) <= key.as_bytes() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}
