//! Item-to-item weights by ridge regression: what of the past predicts each item?
//!
//! With the users' own items as targets and the item itself left out of its own prediction, this is EASE^R
//! (Steck 2019) with each item's regression limited to its nearest neighbours, as fsSLIM does (Ning and
//! Karypis 2011): memory grows with items × neighbours rather than items², and 40 000 items take a minute
//! rather than a 7 GB inverse. With what users bought next as targets it predicts the next purchase.

use rayon::prelude::*;
use scorehouse_models::ModelError;
use scorehouse_models::predictor::recommender::Neighbours;

use super::linear::dot;
use super::nearest::{Nearest, Room};
use super::sparse::Sparse;

/// How item-to-item weights are fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RidgeSettings {
    /// Items that may speak for one item: its nearest.
    pub neighbours: usize,
    /// Regularisation, in multiples of the mean squared length of an input column.
    pub regularisation: f64,
    /// True when an item must not speak for itself.
    pub without_self: bool,
}

/// Above this many items, sums over shared rows are built per item instead of all at once (4 n² bytes).
const ALL_PAIRS_UP_TO: usize = 8000;
/// Items that one task fits at least, so that its room to work in is worth making.
const TOGETHER: usize = 64;
/// A weight smaller than this share of the largest one for the same item is left out.
const NEGLIGIBLE: f32 = 0.002;

/// Fits, for every column j of `targets`, the ridge regression of it on the columns of `inputs` nearest to it.
///
/// Both have one row per user (or user and moment); `inputs` and `targets` have the same width. The result
/// maps inputs (rows) to targets (columns).
///
/// # Errors
/// [`ModelError::Invalid`] when there are more than 2³² weights.
pub fn ridge(
    inputs: &Sparse,
    targets: &Sparse,
    settings: RidgeSettings,
    done: &(dyn Fn(u64) + Sync),
) -> Result<Neighbours, ModelError> {
    let items = inputs.width;
    let by_item = inputs.transposed();
    let targets = targets.transposed();
    let squares = squared_lengths(&by_item);
    let seen = squares.iter().filter(|s| **s > 0.0).count().max(1);
    let ridge = (settings.regularisation * squares.iter().sum::<f64>() / seen as f64) as f32;
    let all = (items <= ALL_PAIRS_UP_TO).then(|| all_pairs(inputs, &by_item));
    let problem = Problem { inputs, by_item, targets, squares, ridge, all, settings };
    let columns: Vec<Vec<(u32, f32)>> = (0..items)
        .into_par_iter()
        .with_min_len(TOGETHER)
        .map_init(
            || Workspace::new(inputs, problem.all.is_none()),
            |workspace, item| {
                let column = problem.column(item, workspace);
                done(1);
                column
            },
        )
        .collect();
    turned(items, &columns)
}

struct Problem<'a> {
    inputs: &'a Sparse,
    by_item: Sparse,
    targets: Sparse,
    squares: Vec<f64>,
    ridge: f32,
    all: Option<Vec<f32>>,
    settings: RidgeSettings,
}

/// Room for one thread; everything is back to empty between two items.
struct Workspace {
    room: Room,
    /// Per row: the neighbours found in it, while a Gram matrix is built.
    members: Vec<Vec<(u32, f32)>>,
    visited: Vec<u32>,
    gram: Vec<f32>,
}

impl Workspace {
    fn new(inputs: &Sparse, with_members: bool) -> Self {
        Self {
            room: Room::new(inputs.width),
            members: vec![Vec::new(); if with_members { inputs.height() } else { 0 }],
            visited: Vec::new(),
            gram: Vec::new(),
        }
    }
}

impl Problem<'_> {
    fn column(&self, item: usize, workspace: &mut Workspace) -> Vec<(u32, f32)> {
        let (nearest, right) = self.nearest(item, workspace);
        if nearest.is_empty() {
            return Vec::new();
        }
        self.gram(&nearest, workspace);
        let weights = conjugate_gradient(&workspace.gram, self.ridge, &right);
        let largest = weights.iter().fold(0.0f32, |m, w| m.max(w.abs()));
        let kept = nearest.into_iter().zip(weights);
        kept.filter(|(_, w)| w.is_finite() && w.abs() > NEGLIGIBLE * largest).collect()
    }

    /// The items nearest to the target by cosine, ascending, and their products with it.
    fn nearest(&self, item: usize, workspace: &mut Workspace) -> (Vec<u32>, Vec<f32>) {
        let nearest = Nearest { inputs: self.inputs, targets: &self.targets };
        let without_self = self.settings.without_self;
        let near = nearest.of(item, self.settings.neighbours, &mut workspace.room, |other, product| {
            let other = other as usize;
            if without_self && other == item { 0.0 } else { product / self.squares[other].sqrt() as f32 }
        });
        near.into_iter().map(|near| (near.item, near.product)).unzip()
    }

    /// Fills `workspace.gram` with the products of all pairs of `nearest`.
    fn gram(&self, nearest: &[u32], workspace: &mut Workspace) {
        let size = nearest.len();
        let Workspace { members, visited, gram, .. } = workspace;
        gram.clear();
        if let Some(all) = &self.all {
            for a in nearest {
                let row = &all[*a as usize * self.inputs.width..][..self.inputs.width];
                gram.extend(nearest.iter().map(|b| row[*b as usize]));
            }
            return;
        }
        gram.resize(size * size, 0.0);
        for (place, item) in nearest.iter().enumerate() {
            let (rows, values) = self.by_item.row(*item as usize);
            for (row, value) in rows.iter().zip(values) {
                if members[*row as usize].is_empty() {
                    visited.push(*row);
                }
                members[*row as usize].push((place as u32, *value));
            }
        }
        // Rows are taken in the order of their numbers so that sums come out the same to the last bit.
        visited.sort_unstable();
        for row in visited.drain(..) {
            let members = &mut members[row as usize];
            for (a, x) in members.iter() {
                let line = &mut gram[*a as usize * size..][..size];
                members.iter().for_each(|(b, y)| line[*b as usize] += x * y);
            }
            members.clear();
        }
    }
}

pub(super) fn squared_lengths(by_item: &Sparse) -> Vec<f64> {
    let square = |item| by_item.row(item).1.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
    (0..by_item.height()).map(square).collect()
}

/// The products of all pairs of columns, row by row.
fn all_pairs(inputs: &Sparse, by_item: &Sparse) -> Vec<f32> {
    let items = inputs.width;
    let mut pairs = vec![0.0f32; items * items];
    pairs.par_chunks_mut(items.max(1)).enumerate().for_each(|(item, line)| {
        let (rows, values) = by_item.row(item);
        for (row, value) in rows.iter().zip(values) {
            let (columns, others) = inputs.row(*row as usize);
            for (column, other) in columns.iter().zip(others) {
                line[*column as usize] += value * other;
            }
        }
    });
    pairs
}

/// Solves `(gram + ridge I) x = right` by conjugate gradients with the diagonal as preconditioner, to a
/// thousandth of the right side: the ridge keeps the system so well conditioned that a dozen steps do.
fn conjugate_gradient(gram: &[f32], ridge: f32, right: &[f32]) -> Vec<f32> {
    let size = right.len();
    let inverse: Vec<f32> = (0..size).map(|i| 1.0 / (gram[i * size + i] + ridge)).collect();
    let mut x = vec![0.0f32; size];
    let mut residual = right.to_vec();
    let mut scaled: Vec<f32> = residual.iter().zip(&inverse).map(|(r, i)| r * i).collect();
    let mut direction = scaled.clone();
    let mut descent = dot(&residual, &scaled);
    let enough = descent * 1e-6;
    for _ in 0..60 {
        if descent <= enough || !descent.is_normal() {
            break;
        }
        let mut image: Vec<f32> = gram.chunks_exact(size).map(|line| dot(line, &direction)).collect();
        image.iter_mut().zip(&direction).for_each(|(i, d)| *i += ridge * d);
        let step = descent / dot(&direction, &image);
        x.iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
        residual.iter_mut().zip(&image).for_each(|(r, i)| *r -= step * i);
        scaled.iter_mut().zip(residual.iter().zip(&inverse)).for_each(|(s, (r, i))| *s = r * i);
        let next = dot(&residual, &scaled);
        let turn = next / descent;
        direction.iter_mut().zip(&scaled).for_each(|(d, s)| *d = s + turn * *d);
        descent = next;
    }
    x
}

/// Columns of (input, weight), ascending by input, as rows of (target, weight).
pub(super) fn turned(items: usize, columns: &[Vec<(u32, f32)>]) -> Result<Neighbours, ModelError> {
    let by_target = Sparse::from_rows(columns.iter().map(|c| c.iter().copied()), items);
    let by_input = by_target.transposed();
    let starts: Result<Vec<u32>, _> = by_input.starts.iter().map(|s| u32::try_from(*s)).collect();
    let starts = starts.map_err(|_| ModelError::Invalid {
        part: "recommender",
        why: "more than 4 billion item-to-item weights".to_owned(),
    })?;
    Neighbours::new(items, starts, by_input.columns, by_input.values)
}
