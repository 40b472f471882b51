//! Contributions of many trees in many blocks, on whatever instructions and in whatever memory.

use fearless_simd::Level;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::tests::{assert_close, forest_of, long_tree, random_row, random_tree};
use super::super::{Forest, ForestBuilder, SplitRule, TreeNode};
use super::Explainer;
use crate::predictor::Scale;

const WIDTH: usize = 40;

/// Trees of all sizes, from a single leaf on; ways of up to 8, 16, 32 and more columns, asked again and again or not.
fn trees(rng: &mut ChaCha8Rng, count: usize) -> Vec<Vec<TreeNode>> {
    let tree = |at: usize| match at % 5 {
        0 => random_tree(rng, 4, 8),
        1 => random_tree(rng, WIDTH as u32, 6),
        2 => random_tree(rng, WIDTH as u32, 10),
        3 => long_tree(rng, 10 + at as u32 % 30),
        _ => random_tree(rng, 12, at as u32 % 3),
    };
    (0..count).map(tree).collect()
}

fn contributions(forest: &Forest, row: &[f64], level: Level) -> Vec<f64> {
    let mut out = vec![0.0; WIDTH];
    Explainer::new(forest).add(level, forest, row, &mut out);
    out
}

fn bits(numbers: Vec<f64>) -> Vec<u64> {
    numbers.into_iter().map(f64::to_bits).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_forest_contributes_what_its_trees_do(seed: u64, count in 0_usize..60) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let trees = trees(&mut rng, count);
        let forest = forest_of(&trees, WIDTH);
        let row = random_row(&mut rng, WIDTH);
        let mut alone = vec![0.0; WIDTH];
        for tree in &trees {
            let tree = forest_of(std::slice::from_ref(tree), WIDTH);
            alone.iter_mut().zip(contributions(&tree, &row, Level::new())).for_each(|(sum, x)| *sum += x);
        }
        let together = contributions(&forest, &row, Level::new());
        assert_close(&together, &alone, 1e-12);
        let told = Explainer::new(&forest).base() + together.iter().sum::<f64>();
        prop_assert!((told - forest.raw(&row)).abs() < 1e-11);
    }

    #[test]
    fn the_widest_and_the_narrowest_instructions_give_the_same_bits(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let forest = forest_of(&trees(&mut rng, 25), WIDTH);
        for _ in 0..5 {
            let row = random_row(&mut rng, WIDTH);
            let [wide, narrow] =
                [Level::new(), Level::baseline()].map(|level| bits(contributions(&forest, &row, level)));
            prop_assert_eq!(wide, narrow);
        }
    }

    #[test]
    fn what_a_thread_explained_before_leaves_no_trace(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let forests: Vec<Forest> =
            (0..4).map(|_| forest_of(&trees(&mut rng, 12), WIDTH)).collect();
        let rows: Vec<Vec<f64>> = (0..6).map(|_| random_row(&mut rng, WIDTH)).collect();
        let asked: Vec<(usize, usize)> =
            (0..30).map(|_| (rng.random_range(0..forests.len()), rng.random_range(0..rows.len()))).collect();
        let explain = |at: &(usize, usize)| bits(contributions(&forests[at.0], &rows[at.1], Level::new()));
        let in_turn: Vec<_> = asked.iter().map(explain).collect();
        let fresh = |at| std::thread::scope(|scope| scope.spawn(|| explain(at)).join().unwrap());
        prop_assert_eq!(in_turn, asked.iter().map(fresh).collect::<Vec<_>>());
    }
}

#[test]
fn leaves_that_next_to_no_row_reached_are_explained_in_numbers() {
    let mut nodes = Vec::new();
    for at in 0..60_u32 {
        let column = at % 20;
        let rule = SplitRule::AtMost(f64::from(at));
        nodes.push(TreeNode::Split { column, rule, missing_left: true, left: 2 * at + 1, right: 2 * at + 2 });
        nodes.push(TreeNode::Leaf { value: f64::from(at), cover: if at == 0 { 1e300 } else { 1e-300 } });
    }
    nodes.push(TreeNode::Leaf { value: 1.0, cover: 1e-300 });
    let mut builder = ForestBuilder::new(WIDTH, 0.0, Scale::LogOdds);
    builder.add(&nodes).unwrap();
    let forest = builder.finish();
    for row in [[100.0; WIDTH], [7.0; WIDTH], [-1.0; WIDTH], [f64::NAN; WIDTH]] {
        let told = contributions(&forest, &row, Level::new()).into_iter().sum::<f64>();
        assert!((Explainer::new(&forest).base() + told - forest.raw(&row)).abs() < 1e-12, "{told}");
    }
}
