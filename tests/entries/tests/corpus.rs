//! Every parser over its corpus in `fuzz/corpus`, and over bytes near it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use scorehouse_entries::{ALL, near};

/// Bytes near each seed that are tried.
const NEAR: usize = 40;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn stems(folder: &str) -> BTreeSet<String> {
    let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    entries(&fuzz().join(folder)).into_iter().map(stem).collect()
}

#[test]
fn no_parser_panics_on_its_corpus_or_near_it() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for entry in ALL {
        let seeds = entries(&fuzz().join("corpus").join(entry.name));
        assert!(!seeds.is_empty(), "{} has no corpus", entry.name);
        for seed in seeds {
            let bytes = fs::read(&seed).unwrap();
            (entry.run)(&bytes);
            (0..NEAR).for_each(|_| (entry.run)(&near(&bytes, &mut rng)));
        }
    }
}

#[test]
fn every_parser_has_a_target_and_a_corpus_and_nothing_else_has() {
    let names: BTreeSet<String> = ALL.iter().map(|entry| entry.name.to_owned()).collect();
    assert_eq!(stems("targets"), names);
    assert_eq!(stems("corpus"), names);
}
