//! The sequence of trees.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bins::Binned;
use super::grow::Grower;
use super::objective::Target;
use super::params::{BoostingParams, InvalidBoosting};
use super::tree::Tree;

/// Which rows of a matrix take which part.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Rows learnt from, ascending.
    pub train: &'a [u32],
    /// Rows on which the loss is watched.
    pub watch: &'a [u32],
    /// True: the loss is watched with the intercept that suits the watched rows best, so that it tells how well rows
    /// are told apart when the rate of the outcome among them is another than among those learnt from.
    pub own_level: bool,
}

/// A boosted model in the making.
#[derive(Debug, Clone, PartialEq)]
pub struct Boosted {
    /// Log-odds before any tree.
    pub base: f64,
    /// The trees in order.
    pub trees: Vec<Tree>,
    /// Loss on the watched rows after each tree; empty without watched rows.
    pub losses: Vec<f64>,
}

impl Boosted {
    /// The number of trees with the least watched loss; all of them when nothing was watched.
    #[must_use]
    pub fn best(&self) -> usize {
        let least = |best: usize, at: usize| if self.losses[at] < self.losses[best] { at } else { best };
        if self.losses.is_empty() { self.trees.len() } else { (0..self.losses.len()).fold(0, least) + 1 }
    }

    /// Log-odds of `rows`, in their order, by the first `trees` trees.
    #[must_use]
    pub fn raw(&self, binned: &Binned, rows: &[u32], trees: usize) -> Vec<f64> {
        let mut raw = vec![self.base; binned.rows];
        for tree in self.trees.iter().take(trees) {
            tree.add_to(binned, rows, &mut raw);
        }
        rows.iter().map(|row| raw[*row as usize]).collect()
    }
}

impl Boosted {
    /// Log-odds of a row of numbers as they were before binning.
    #[must_use]
    pub fn raw_of(&self, number: &dyn Fn(usize) -> f64) -> f64 {
        self.trees.iter().fold(self.base, |sum, tree| sum + tree.value(number))
    }
}

/// Grows trees until there are as many as asked for, nothing is left to gain, or the watched loss has not
/// fallen for `patience` trees. `advance` is told of each tree.
///
/// # Errors
/// [`InvalidBoosting`] when a setting is out of range.
pub fn boost(
    binned: &Binned,
    target: Target<'_>,
    rows: Rows<'_>,
    params: &BoostingParams,
    advance: &dyn Fn(),
) -> Result<Boosted, InvalidBoosting> {
    params.check()?;
    let mut model = Boosted { base: target.base(rows.train), trees: Vec::new(), losses: Vec::new() };
    let mut raw = vec![model.base; binned.rows];
    let mut gradients = vec![[0.0_f32; 2]; binned.rows];
    let mut grower = Grower::new(binned, params);
    let mut draws = Draws::new(binned);
    let mut level = 0.0;
    for tree in 0..params.trees {
        target.gradients(&raw, &mut gradients);
        draws.draw(rows.train, params, tree as u64);
        let grown = grower.grow(&draws.rows, &gradients, &draws.features);
        if grown.tree.nodes.is_empty() && params.row_share >= 1.0 && params.feature_share >= 1.0 {
            break;
        }
        for (rows, value) in grown.rows.iter().zip(&grown.tree.values) {
            rows.iter().for_each(|row| raw[*row as usize] += value);
        }
        grown.tree.add_to(binned, &draws.left_out, &mut raw);
        grown.tree.add_to(binned, rows.watch, &mut raw);
        model.trees.push(grown.tree);
        advance();
        if !rows.watch.is_empty() {
            let seen = target.level(&raw, rows.watch, level);
            level += if rows.own_level { seen.step() } else { 0.0 };
            model.losses.push(if rows.own_level { seen.least() } else { seen.loss });
            if params.patience > 0 && model.trees.len() >= model.best() + params.patience {
                break;
            }
        }
    }
    Ok(model)
}

/// The rows and features of one tree.
#[derive(Clone)]
pub(super) struct Draws {
    rows: Vec<u32>,
    left_out: Vec<u32>,
    pub features: Vec<bool>,
    /// Features that have something to split.
    useful: Vec<usize>,
}

impl Draws {
    pub fn new(binned: &Binned) -> Self {
        let useful = (0..binned.features()).filter(|feature| binned.bins[*feature].count() > 2);
        let missing = |feature: &usize| (0..binned.rows).any(|row| binned.code(*feature, row) == 0);
        let single = (0..binned.features()).filter(|f| binned.bins[*f].count() == 2).filter(missing);
        let mut useful: Vec<usize> = useful.chain(single).collect();
        useful.sort_unstable();
        Self { rows: Vec::new(), left_out: Vec::new(), features: vec![false; binned.features()], useful }
    }

    fn draw(&mut self, train: &[u32], params: &BoostingParams, tree: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
        rng.set_stream(tree);
        self.draw_features(params, &mut rng);
        if params.row_share >= 1.0 {
            if self.rows.is_empty() {
                self.rows.extend_from_slice(train);
            }
            return;
        }
        self.rows.clear();
        self.left_out.clear();
        let mut wanted = ((train.len() as f64 * params.row_share).round() as usize).max(1);
        for (at, row) in train.iter().enumerate() {
            if rng.random_range(0..train.len() - at) < wanted {
                self.rows.push(*row);
                wanted -= 1;
            } else {
                self.left_out.push(*row);
            }
        }
    }

    pub fn draw_features(&mut self, params: &BoostingParams, rng: &mut ChaCha8Rng) {
        let mut wanted = ((self.useful.len() as f64 * params.feature_share).round() as usize).max(1);
        self.features.fill(false);
        for (at, feature) in self.useful.iter().enumerate() {
            if params.feature_share >= 1.0 || rng.random_range(0..self.useful.len() - at) < wanted {
                self.features[*feature] = true;
                wanted = wanted.saturating_sub(1);
            }
        }
    }
}
