//! What a forest costs: `cargo bench --profile dev -p scorehouse-models --bench forest` (the everyday profile).
//! Beside its peers it is measured by `make bench`, which runs this too.

#![allow(clippy::expect_used, reason = "a measurement that cannot be made fails")]

use divan::{Bencher, black_box};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scorehouse_models::predictor::forest::{SplitRule, TreeNode};
use scorehouse_models::{Forest, ForestBuilder, Predictor, Scale};

const WIDTH: usize = 30;
const TREES: usize = 200;
const DEPTH: u32 = 5;

fn main() {
    divan::main();
}

/// A full tree, its nodes in the order in which they are grown.
fn grow(rng: &mut ChaCha8Rng, depth: u32, nodes: &mut Vec<TreeNode>) -> u32 {
    let own = nodes.len() as u32;
    let cover = f64::from(1_u32 << depth);
    nodes.push(TreeNode::Leaf { value: rng.random_range(-0.1..0.1), cover });
    if depth > 0 {
        let (column, at) = (rng.random_range(0..WIDTH as u32), rng.random_range(0.0..1.0));
        let left = grow(rng, depth - 1, nodes);
        let right = grow(rng, depth - 1, nodes);
        let rule = SplitRule::AtMost(at);
        nodes[own as usize] = TreeNode::Split { column, rule, missing_left: true, left, right };
    }
    own
}

fn forest() -> Forest {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut builder = ForestBuilder::new(WIDTH, 0.0, Scale::LogOdds);
    for _ in 0..TREES {
        let mut nodes = Vec::new();
        grow(&mut rng, DEPTH, &mut nodes);
        builder.add(&nodes).expect("a full tree is sound");
    }
    builder.finish()
}

fn row(seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..WIDTH).map(|_| rng.random_range(0.0..1.0)).collect()
}

#[divan::bench]
fn score_of_one_row(bencher: Bencher<'_, '_>) {
    let (forest, row) = (forest(), row(1));
    bencher.bench(|| forest.raw(black_box(&row)));
}

/// What a batch of so many rows costs, as a whole.
#[divan::bench(args = [4, 8, 16, 32, 64, 100, 128, 1000])]
fn score_of_rows_together(bencher: Bencher<'_, '_>, rows: u64) {
    let predictor = Predictor::Forest(forest());
    let table: Vec<f64> = (0..rows).flat_map(row).collect();
    let mut out = vec![0.0; rows as usize];
    bencher.bench_local(|| predictor.raw_batch(black_box(&table), WIDTH, &mut out).is_ok());
}

#[divan::bench]
fn reasons_of_a_row_met_lately(bencher: Bencher<'_, '_>) {
    let (predictor, row) = (Predictor::Forest(forest()), row(1));
    let mut out = vec![0.0; WIDTH];
    bencher.bench_local(|| predictor.contributions(black_box(&row), &mut out).is_ok());
}

#[divan::bench]
fn reasons_of_new_rows(bencher: Bencher<'_, '_>) {
    let predictor = Predictor::Forest(forest());
    let (mut out, mut seed) = (vec![0.0; WIDTH], 0);
    bencher
        .with_inputs(|| {
            seed += 1;
            row(seed)
        })
        .bench_local_values(|row| predictor.contributions(&row, &mut out).is_ok());
}
