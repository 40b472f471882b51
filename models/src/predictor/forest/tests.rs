//! Forests against slow but plain ways to compute the same.

use fearless_simd::Level;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::artifact::Sections;

/// A random tree over `width` columns, as deep as `depth`; column 0 is categorical with 8 codes.
pub(super) fn random_tree(rng: &mut ChaCha8Rng, width: u32, depth: u32) -> Vec<TreeNode> {
    let mut nodes = Vec::new();
    grow(rng, width, depth, &mut nodes);
    nodes
}

fn grow(rng: &mut ChaCha8Rng, width: u32, depth: u32, nodes: &mut Vec<TreeNode>) -> u32 {
    let own = nodes.len() as u32;
    if depth == 0 || rng.random_range(0..10) == 0 {
        nodes
            .push(TreeNode::Leaf { value: rng.random_range(-1.0..1.0), cover: rng.random_range(0.5..100.0) });
        return own;
    }
    nodes.push(TreeNode::Leaf { value: 0.0, cover: 1.0 });
    let column = rng.random_range(0..width);
    let rule = if column == 0 {
        SplitRule::OneOf((0..8).filter(|_| rng.random_range(0..2) == 0).collect())
    } else {
        SplitRule::AtMost(rng.random_range(-1.0..1.0))
    };
    let missing_left = rng.random_range(0..2) == 0;
    let left = grow(rng, width, depth - 1, nodes);
    let right = grow(rng, width, depth - 1, nodes);
    nodes[own as usize] = TreeNode::Split { column, rule, missing_left, left, right };
    own
}

pub(super) fn random_row(rng: &mut ChaCha8Rng, width: usize) -> Vec<f64> {
    let mut row: Vec<f64> = (0..width)
        .map(|_| if rng.random_range(0..6) == 0 { f64::NAN } else { rng.random_range(-1.2..1.2) })
        .collect();
    row[0] = [f64::NAN, -1.0, 2.5, 3.0, 7.0, 900.0][rng.random_range(0..6)];
    row
}

fn goes_left(node: &TreeNode, row: &[f64]) -> bool {
    let TreeNode::Split { column, rule, missing_left, .. } = node else { return false };
    let x = row[*column as usize];
    match rule {
        _ if x.is_nan() => *missing_left,
        SplitRule::AtMost(threshold) => x <= *threshold,
        SplitRule::OneOf(codes) => codes.iter().any(|code| f64::from(*code) == x),
    }
}

fn naive_tree(tree: &[TreeNode], row: &[f64]) -> f64 {
    let mut at = 0;
    loop {
        match &tree[at] {
            TreeNode::Leaf { value, .. } => return *value,
            TreeNode::Split { left, right, .. } => {
                at = if goes_left(&tree[at], row) { *left } else { *right } as usize;
            }
        }
    }
}

fn cover(tree: &[TreeNode], at: u32) -> f64 {
    match &tree[at as usize] {
        TreeNode::Leaf { cover, .. } => *cover,
        TreeNode::Split { left, right, .. } => cover(tree, *left) + cover(tree, *right),
    }
}

/// The tree's expected value when only the columns in `known` are known (algorithm 1 of the paper).
fn expected(tree: &[TreeNode], at: u32, row: &[f64], known: u32) -> f64 {
    match &tree[at as usize] {
        TreeNode::Leaf { value, .. } => *value,
        TreeNode::Split { column, left, right, .. } if known >> column & 1 == 1 => {
            let child = if goes_left(&tree[at as usize], row) { *left } else { *right };
            expected(tree, child, row, known)
        }
        TreeNode::Split { left, right, .. } => {
            let (l, r) = (cover(tree, *left), cover(tree, *right));
            let sum = l * expected(tree, *left, row, known) + r * expected(tree, *right, row, known);
            sum / (l + r)
        }
    }
}

/// Shapley values from their definition, over all subsets of columns.
fn brute_force(tree: &[TreeNode], row: &[f64]) -> Vec<f64> {
    let width = row.len();
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    let gain = |i: usize, set: u32| {
        let size = set.count_ones() as usize;
        let weight = factorial(size) * factorial(width - size - 1) / factorial(width);
        weight * (expected(tree, 0, row, set | 1 << i) - expected(tree, 0, row, set))
    };
    (0..width).map(|i| (0..1_u32 << width).filter(|s| s >> i & 1 == 0).map(|s| gain(i, s)).sum()).collect()
}

pub(super) fn forest_of(trees: &[Vec<TreeNode>], width: usize) -> Forest {
    let mut builder = ForestBuilder::new(width, 0.25, Scale::LogOdds);
    trees.iter().for_each(|tree| builder.add(tree).unwrap());
    builder.finish()
}

pub(super) fn assert_close(left: &[f64], right: &[f64], tolerance: f64) {
    for (l, r) in left.iter().zip(right) {
        assert!((l - r).abs() <= tolerance, "{left:?}\n{right:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_score_is_the_sum_of_the_leaves_reached(seed: u64, trees in 0_usize..20) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let trees: Vec<_> = (0..trees).map(|_| random_tree(&mut rng, 5, 7)).collect();
        let forest = forest_of(&trees, 5);
        for _ in 0..20 {
            let row = random_row(&mut rng, 5);
            let plain = trees.iter().fold(0.25, |sum, tree| sum + naive_tree(tree, &row));
            prop_assert_eq!(forest.raw(&row).to_bits(), plain.to_bits());
        }
    }

    #[test]
    fn a_batch_of_any_size_gives_the_bits_of_single_rows(seed: u64, rows in 0_usize..150, extra in 0_usize..3) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let trees: Vec<_> = (0..19).map(|_| random_tree(&mut rng, 4, 5)).collect();
        let forest = forest_of(&trees, 4);
        let width = 4 + extra;
        let batch: Vec<f64> = (0..rows).flat_map(|_| random_row(&mut rng, width)).collect();
        let mut out = vec![0.0; rows];
        forest.raw_batch(&batch, width, &mut out);
        for (row, raw) in batch.chunks(width).zip(out) {
            prop_assert_eq!(raw.to_bits(), forest.raw(row).to_bits());
        }
    }

    #[test]
    fn rows_that_pass_together_get_the_bits_of_the_walk(seed: u64, rows in 8_usize..300, depth in 0_u32..6) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // Small trees and some with more leaves than pass together, side by side.
        let depth = |tree: usize| if tree % 7 == 3 { 10 } else { depth };
        let trees: Vec<_> = (0..16).map(|i| on_grid(random_tree(&mut rng, 5, depth(i)))).collect();
        let forest = forest_of(&trees, 5);
        let batch: Vec<f64> = (0..rows).flat_map(|_| grid_row(&mut rng, 6)).collect();
        prop_assert_eq!(bits_together(&forest, &batch, 6), bits_walked(&forest, &batch, 6));
    }

    #[test]
    fn contributions_are_shapley_values(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let tree = random_tree(&mut rng, 6, 6);
        let forest = forest_of(std::slice::from_ref(&tree), 6);
        let row = random_row(&mut rng, 6);
        let mut out = vec![0.0; 6];
        let base = forest.add_contributions(&row, 1.0, &mut out);
        assert_close(&out, &brute_force(&tree, &row), 1e-12);
        prop_assert!((base + out.iter().sum::<f64>() - forest.raw(&row)).abs() < 1e-12);
    }

    #[test]
    fn ways_of_any_length_add_up(seed: u64, length in 1_u32..=128) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let forest = forest_of(&[long_tree(&mut rng, length)], 128);
        let row = random_row(&mut rng, 128);
        let mut out = vec![0.0; 128];
        let base = forest.add_contributions(&row, 1.0, &mut out);
        prop_assert!((base + out.iter().sum::<f64>() - forest.raw(&row)).abs() < 1e-12);
    }

    #[test]
    fn columns_asked_again_and_again_share_one_contribution(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let tree = random_tree(&mut rng, 3, 8);
        let forest = forest_of(std::slice::from_ref(&tree), 3);
        let row = random_row(&mut rng, 3);
        let mut out = vec![0.0; 3];
        forest.add_contributions(&row, 1.0, &mut out);
        assert_close(&out, &brute_force(&tree, &row), 1e-12);
    }

    #[test]
    fn a_forest_survives_its_section(seed: u64, trees in 0_usize..5) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let trees: Vec<_> = (0..trees).map(|_| random_tree(&mut rng, 5, 6)).collect();
        let forest = forest_of(&trees, 5);
        let mut sections = Sections::default();
        let header = forest.write("forest", &mut sections).unwrap();
        let read = Forest::read("forest", &header, &sections).unwrap();
        prop_assert_eq!(&read.nodes, &forest.nodes);
        prop_assert_eq!(&read.trees, &forest.trees);
        let row = random_row(&mut rng, 5);
        prop_assert_eq!(read.raw(&row).to_bits(), forest.raw(&row).to_bits());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_section_with_any_number_changed_is_refused_or_walked_without_harm(
        seed: u64, array in 0_usize..4, at: prop::sample::Index, to in prop::sample::select(ODD_NUMBERS.to_vec()),
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let trees: Vec<_> = (0..3).map(|_| random_tree(&mut rng, 4, 4)).collect();
        let mut sections = Sections::default();
        let header = forest_of(&trees, 4).write("forest", &mut sections).unwrap();
        let mut tensors = sections.tensors("forest").unwrap();
        let name = ["test", "child", "root", "set_ends"][array];
        let mut numbers = tensors.u32(name).unwrap();
        if !numbers.is_empty() {
            let at = at.index(numbers.len());
            numbers[at] = if to % 2 == 0 { to } else { numbers[at].wrapping_add(to) };
        }
        tensors.put_u32(name, numbers);
        let mut changed = Sections::default();
        changed.put_tensors("forest", &tensors).unwrap();
        if let Ok(forest) = Forest::read("forest", &header, &changed) {
            let row = random_row(&mut rng, 4);
            prop_assert!(forest.raw(&row).is_finite());
            prop_assert!(forest.add_contributions(&row, 1.0, &mut [0.0; 4]).is_finite());
        }
    }
}

const ODD_NUMBERS: &[u32] =
    &[0, 1, 2, 3, 4, 64, 1 << 29, 1 << 30, 1 << 31, u32::MAX, u32::MAX - 1, (1 << 30) + 1];

/// A tree whose every split has a leaf on one side, each asking another column.
pub(super) fn long_tree(rng: &mut ChaCha8Rng, length: u32) -> Vec<TreeNode> {
    let mut nodes = Vec::new();
    for column in 0..length {
        let own = nodes.len() as u32;
        let rule = SplitRule::AtMost(rng.random_range(-1.0..1.0));
        let missing_left = column % 2 == 0;
        nodes.push(TreeNode::Split { column, rule, missing_left, left: own + 1, right: own + 2 });
        nodes.push(TreeNode::Leaf { value: rng.random_range(-1.0..1.0), cover: rng.random_range(1.0..9.0) });
    }
    nodes.push(TreeNode::Leaf { value: 0.5, cover: 3.0 });
    nodes
}

/// The tree with its thresholds on tenths, where the rows' numbers lie as well, zeros of either sign among them.
fn on_grid(mut tree: Vec<TreeNode>) -> Vec<TreeNode> {
    for node in &mut tree {
        if let TreeNode::Split { rule: SplitRule::AtMost(threshold), .. } = node {
            *threshold = (*threshold * 10.0).round() / 10.0;
        }
    }
    tree
}

/// A row whose numbers often equal a threshold, or lie beyond all.
fn grid_row(rng: &mut ChaCha8Rng, width: usize) -> Vec<f64> {
    let mut row = random_row(rng, width);
    for x in &mut row[1..] {
        *x = (*x * 10.0).round() / 10.0;
        if rng.random_range(0..20) == 0 {
            *x = [f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0][rng.random_range(0..4)];
        }
    }
    row
}

/// Of rows that pass together, in the widest and in the narrowest instructions.
fn bits_together(forest: &Forest, batch: &[f64], width: usize) -> Vec<u64> {
    let [wide, narrow] = [Level::new(), Level::baseline()].map(|level| {
        let mut out = vec![0.0; batch.len() / width];
        match out.len() {
            0..=64 => forest.pass_batch::<1>(level, (batch, width), &mut out),
            65..=128 => forest.pass_batch::<2>(level, (batch, width), &mut out),
            _ => forest.pass_batch::<4>(level, (batch, width), &mut out),
        }
        out.into_iter().map(f64::to_bits).collect::<Vec<u64>>()
    });
    assert_eq!(wide, narrow);
    wide
}

fn bits_walked(forest: &Forest, batch: &[f64], width: usize) -> Vec<u64> {
    batch.chunks(width).map(|row| forest.raw(row).to_bits()).collect()
}

#[test]
fn a_forest_of_more_questions_than_pass_at_once_gives_the_bits_of_the_walk() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let trees: Vec<_> = (0..150).map(|_| random_tree(&mut rng, 9, 8)).collect();
    let forest = forest_of(&trees, 9);
    assert!(forest.crowd().parts.len() > 1);
    for rows in [8, 64, 65, 128, 129, 300] {
        let batch: Vec<f64> = (0..rows).flat_map(|_| random_row(&mut rng, 9)).collect();
        assert_eq!(bits_together(&forest, &batch, 9), bits_walked(&forest, &batch, 9), "{rows} rows");
    }
}

#[test]
fn a_row_of_nothing_but_missing_values_is_scored() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let tree = random_tree(&mut rng, 5, 6);
    let forest = forest_of(std::slice::from_ref(&tree), 5);
    let row = [f64::NAN; 5];
    assert_eq!(forest.raw(&row), 0.25 + naive_tree(&tree, &row));
}

#[test]
fn arrays_that_are_no_tree_are_refused() {
    let leaf = || TreeNode::Leaf { value: 1.0, cover: 1.0 };
    let split = |column, left, right| TreeNode::Split {
        column,
        rule: SplitRule::AtMost(0.0),
        missing_left: true,
        left,
        right,
    };
    let bad = [
        vec![],
        vec![split(0, 1, 1), leaf()],
        vec![split(0, 0, 1), leaf()],
        vec![split(0, 1, 9), leaf()],
        vec![split(7, 1, 2), leaf(), leaf()],
        vec![leaf(), leaf()],
        vec![leaf(), split(0, 2, 3), split(0, 1, 3), leaf()],
        vec![TreeNode::Leaf { value: f64::NAN, cover: 1.0 }],
        vec![TreeNode::Leaf { value: 1.0, cover: 0.0 }],
    ];
    for tree in bad {
        let mut builder = ForestBuilder::new(2, 0.0, Scale::LogOdds);
        assert!(builder.add(&tree).is_err(), "{tree:?}");
        assert!(builder.finish().is_empty());
    }
}

proptest! {
    #[test]
    fn a_cell_met_again_gives_the_same_bits_and_a_threshold_crossed_gives_others(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut builder = ForestBuilder::new(4, 0.1, Scale::LogOdds);
        for _ in 0..6 {
            builder.add(&random_tree(&mut rng, 4, 4)).unwrap();
        }
        let known = builder.finish();
        let contributions = |forest: &Forest, row: &[f64]| {
            let mut out = vec![0.0; 4];
            let base = forest.add_contributions(row, 0.5, &mut out);
            (out.into_iter().map(f64::to_bits).collect::<Vec<_>>(), base.to_bits())
        };
        let rows: Vec<Vec<f64>> = (0..40).map(|_| random_row(&mut rng, 4)).collect();
        for row in rows.iter().chain(&rows) {
            // A copy has met no cell yet.
            prop_assert_eq!(contributions(&known, row), contributions(&known.clone(), row));
            let nudged: Vec<f64> = row.iter().map(|x| if x.fract() == 0.0 { *x } else { x + 1e-3 }).collect();
            prop_assert_eq!(contributions(&known, &nudged), contributions(&known.clone(), &nudged));
        }
    }
}
