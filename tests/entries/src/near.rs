//! Bytes near good ones.

use rand::{Rng, RngExt};

/// A seed with some bytes changed, cut, doubled or put in; at most 64 KiB of it.
pub fn near(seed: &[u8], rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..4) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes.truncate(at),
            2 => bytes.insert(at, rng.random()),
            _ => {
                let again = bytes[at / 2..at].to_vec();
                bytes.splice(at..at, again);
            }
        }
        bytes.truncate(1 << 16);
    }
    bytes
}
