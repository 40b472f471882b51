//! Trees that put lists in order: LambdaRank (Burges 2010) on the gain that a swap of two candidates brings.

use std::ops::Range;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::bins::Binned;
use super::boost::{Boosted, Draws};
use super::grow::Grower;
use super::params::{BoostingParams, InvalidBoosting};

/// Candidates in lists.
#[derive(Debug, Clone, Copy)]
pub struct Lists<'a> {
    /// The lists.
    pub lists: &'a [List],
    /// True for a candidate that was taken up, row by row.
    pub taken: &'a [bool],
    /// What each row starts from: trees add to it.
    pub before: &'a [f64],
    /// Length at which a list is judged.
    pub length: usize,
}

/// One list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Its candidates' rows, side by side.
    pub rows: Range<u32>,
    /// Items taken up, among the candidates or not; at least 1.
    pub wanted: usize,
}

impl Lists<'_> {
    /// How good the order of `list` by `raw` is: the mean of NDCG and recall at [`Lists::length`]; equals stay in
    /// their order.
    #[must_use]
    pub fn quality(&self, list: usize, raw: &[f64]) -> f64 {
        let list = &self.lists[list];
        let order = self.order(list, raw);
        let hits = order.iter().take(self.length).enumerate().filter(|(_, row)| self.taken[**row as usize]);
        let (mut gain, mut count) = (0.0, 0);
        for (place, _) in hits {
            gain += discount(place);
            count += 1;
        }
        0.5 * (gain / ideal(list.wanted.min(self.length)) + f64::from(count) / list.wanted as f64)
    }

    fn order(&self, list: &List, raw: &[f64]) -> Vec<u32> {
        let mut order: Vec<u32> = list.rows.clone().collect();
        order.sort_by(|a, b| raw[*b as usize].total_cmp(&raw[*a as usize]));
        order
    }

    /// Gradient and curvature of every row of `list`, in the order of its rows.
    fn gradients(&self, list: &List, raw: &[f64]) -> Vec<[f32; 2]> {
        let mut sums = vec![[0.0f64; 2]; list.rows.len()];
        let order = self.order(list, raw);
        let ideal = ideal(list.wanted);
        let taken = order.iter().enumerate().filter(|(_, row)| self.taken[**row as usize]);
        for (high, winner) in taken {
            for (low, loser) in order.iter().enumerate().filter(|(_, row)| !self.taken[**row as usize]) {
                let gain = (discount(high) - discount(low)).abs() / ideal;
                let wrong = 1.0 / (1.0 + (raw[*winner as usize] - raw[*loser as usize]).exp());
                let (slope, bend) = (gain * wrong, gain * wrong * (1.0 - wrong));
                let from = list.rows.start;
                let [winner, loser] = [(winner - from) as usize, (loser - from) as usize];
                sums[winner][0] -= slope;
                sums[loser][0] += slope;
                sums[winner][1] += bend;
                sums[loser][1] += bend;
            }
        }
        sums.into_iter().map(|[slope, bend]| [slope as f32, bend as f32]).collect()
    }
}

/// What a hit at `place` (from 0) counts.
fn discount(place: usize) -> f64 {
    1.0 / ((place + 2) as f64).log2()
}

/// What `hits` hits count at best.
fn ideal(hits: usize) -> f64 {
    (0..hits.max(1)).map(discount).sum()
}

/// Grows trees on the lists `learn` until there are as many as asked for or the quality of the lists `watch` has not
/// risen for `patience` trees. `losses` are 1 less the mean quality of what is watched, the first before any tree.
///
/// # Errors
/// [`InvalidBoosting`] when a setting is out of range.
pub fn boost_lists(
    binned: &Binned,
    lists: Lists<'_>,
    (learn, watch): (&[usize], &[usize]),
    params: &BoostingParams,
) -> Result<Boosted, InvalidBoosting> {
    params.check()?;
    let rows_of = |of: &[usize]| -> Vec<u32> {
        let mut rows: Vec<u32> = of.iter().flat_map(|list| lists.lists[*list].rows.clone()).collect();
        rows.sort_unstable();
        rows
    };
    let (rows, watched) = (rows_of(learn), rows_of(watch));
    let loss = |raw: &[f64]| {
        let qualities: Vec<f64> = watch.par_iter().map(|list| lists.quality(*list, raw)).collect();
        1.0 - qualities.iter().sum::<f64>() / qualities.len().max(1) as f64
    };
    let mut raw = lists.before.to_vec();
    let mut model = Boosted { base: 0.0, trees: Vec::new(), losses: Vec::new() };
    if !watch.is_empty() {
        model.losses.push(loss(&raw));
    }
    let mut gradients = vec![[0.0_f32; 2]; binned.rows];
    let mut grower = Grower::new(binned, params);
    let mut draws = Draws::new(binned);
    for tree in 0..params.trees {
        let found: Vec<Vec<[f32; 2]>> =
            learn.par_iter().map(|list| lists.gradients(&lists.lists[*list], &raw)).collect();
        for (list, found) in learn.iter().zip(found) {
            let rows = &lists.lists[*list].rows;
            gradients[rows.start as usize..rows.end as usize].copy_from_slice(&found);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
        rng.set_stream(tree as u64);
        draws.draw_features(params, &mut rng);
        let grown = grower.grow(&rows, &gradients, &draws.features);
        if grown.tree.nodes.is_empty() && params.feature_share >= 1.0 {
            break;
        }
        for (rows, value) in grown.rows.iter().zip(&grown.tree.values) {
            rows.iter().for_each(|row| raw[*row as usize] += value);
        }
        grown.tree.add_to(binned, &watched, &mut raw);
        model.trees.push(grown.tree);
        if !watch.is_empty() {
            model.losses.push(loss(&raw));
            if params.patience > 0 && model.trees.len() >= least(&model.losses) + params.patience {
                break;
            }
        }
    }
    Ok(model)
}

/// The number of trees after which the loss was least, the first of equals; 0 when none helped.
#[must_use]
pub fn least(losses: &[f64]) -> usize {
    (0..losses.len()).fold(0, |best, at| if losses[at] < losses[best] { at } else { best })
}

#[cfg(test)]
mod tests {
    use super::super::{FeatureKind, Matrix};
    use super::*;

    /// Lists of ten; one is taken: the one with the odd number in the second column, wherever it stands.
    fn lists(count: u32) -> (Matrix, Vec<List>, Vec<bool>, Vec<f64>) {
        let rows = (count * 10) as usize;
        let odd = |row: usize| (row / 10 * 7 + 3) % 10 == row % 10;
        let columns = vec![
            (0..rows).map(|row| (row % 10) as f64).collect(),
            (0..rows).map(|row| f64::from(u8::from(odd(row)))).collect(),
        ];
        let matrix = Matrix { rows, columns, kinds: vec![FeatureKind::Number; 2] };
        let lists = (0..count).map(|list| List { rows: list * 10..list * 10 + 10, wanted: 1 }).collect();
        let before = (0..rows).map(|row| -((row % 10 + 2) as f64).log2().ln()).collect();
        (matrix, lists, (0..rows).map(odd).collect(), before)
    }

    #[test]
    fn what_was_taken_moves_to_the_front_in_lists_that_were_not_learnt_from() {
        let (matrix, made, taken, before) = lists(200);
        let lists = Lists { lists: &made, taken: &taken, before: &before, length: 5 };
        let (learn, watch): (Vec<usize>, Vec<usize>) = ((0..150).collect(), (150..200).collect());
        let params = BoostingParams { trees: 60, leaves: 4, patience: 10, ..BoostingParams::default() };
        let model = boost_lists(&Binned::new(&matrix), lists, (&learn, &watch), &params).unwrap();
        let best = least(&model.losses);
        assert!(best > 0 && model.losses[0] > 0.4, "{:?}", model.losses);
        assert!(model.losses[best] < 0.01, "{:?}", model.losses);
    }

    #[test]
    fn where_nothing_tells_what_is_taken_no_tree_is_better_than_none() {
        let (mut matrix, made, taken, before) = lists(60);
        matrix.columns[1].fill(1.0);
        matrix.columns[0].fill(1.0);
        let lists = Lists { lists: &made, taken: &taken, before: &before, length: 5 };
        let (learn, watch): (Vec<usize>, Vec<usize>) = ((0..40).collect(), (40..60).collect());
        let params = BoostingParams { trees: 5, ..BoostingParams::default() };
        let model = boost_lists(&Binned::new(&matrix), lists, (&learn, &watch), &params).unwrap();
        assert_eq!(least(&model.losses), 0);
    }

    #[test]
    fn gradients_push_what_was_taken_up_and_the_rest_down_by_as_much() {
        let made = [List { rows: 0..3, wanted: 2 }];
        let (taken, before) = ([false, true, false], [0.5, 0.2, -0.3]);
        let lists = Lists { lists: &made, taken: &taken, before: &before, length: 3 };
        let found = lists.gradients(&made[0], &before);
        assert!(found[1][0] < 0.0 && found[0][0] > 0.0 && found[2][0] > 0.0, "{found:?}");
        assert!(found.iter().map(|f| f[0]).sum::<f32>().abs() < 1e-6);
        assert!(found.iter().all(|f| f[1] > 0.0));
        // One of two wanted, second of three: half the recall, and 0.63 of 1.63.
        let expected = 0.5 * (0.5 + discount(1) / (1.0 + discount(1)));
        assert!((lists.quality(0, &before) - expected).abs() < 1e-12);
    }
}
