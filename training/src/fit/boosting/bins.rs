//! Every feature in at most 255 bins, one byte a value.

use rayon::prelude::*;

use super::matrix::{FeatureKind, Matrix};

/// Bin of missing values, and of levels that have no bin of their own.
pub(super) const MISSING: u8 = 0;
/// Most bins of a feature besides [`MISSING`].
const MAX_BINS: usize = 255;
/// Fewest rows in a bin of numbers.
const MIN_ROWS: usize = 3;
/// Rows from which the bins of numbers are found; more add nothing.
const SAMPLE: usize = 200_000;
/// Features whose codes lie side by side in one word.
pub(super) const LANES: usize = 8;

/// How a feature's values become bins.
#[derive(Debug, Clone)]
pub(super) enum Bins {
    /// Bin b (from 1) holds numbers in `(upper[b-2], upper[b-1]]`; the last is open above.
    Number { upper: Vec<f64> },
    /// `bin[code]` is the code's bin; `code[b-1]` the code of bin b.
    Category { bin: Vec<u8>, code: Vec<u32> },
}

/// A matrix in bins, laid out in words of eight features.
#[derive(Debug, Clone)]
pub struct Binned {
    /// Number of rows.
    pub rows: usize,
    pub(super) bins: Vec<Bins>,
    pub(super) groups: Vec<Group>,
    /// Feature → (group, lane).
    pub(super) place: Vec<(usize, usize)>,
}

/// Up to eight features whose codes lie side by side.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// The features, by lane.
    pub features: Vec<usize>,
    /// The codes of a row.
    pub codes: Vec<[u8; LANES]>,
}

impl Bins {
    /// Number of bins including [`MISSING`].
    pub fn count(&self) -> usize {
        match self {
            Self::Number { upper } => upper.len() + 2,
            Self::Category { code, .. } => code.len() + 1,
        }
    }

    fn of(&self, value: f64) -> u8 {
        match self {
            _ if value.is_nan() => MISSING,
            Self::Number { upper } => 1 + upper.partition_point(|u| *u < value) as u8,
            Self::Category { bin, .. } => bin.get(value as usize).copied().unwrap_or(MISSING),
        }
    }
}

impl Binned {
    /// Finds bins from all rows and puts every value into its bin.
    #[must_use]
    pub fn new(matrix: &Matrix) -> Self {
        let columns: Vec<(Bins, Vec<u8>)> = matrix
            .columns
            .par_iter()
            .zip(&matrix.kinds)
            .map(|(column, kind)| {
                let bins = match kind {
                    FeatureKind::Number => number_bins(column),
                    FeatureKind::Category { levels } => category_bins(column, *levels),
                };
                let codes = column.iter().map(|value| bins.of(*value)).collect();
                (bins, codes)
            })
            .collect();
        let (bins, codes): (Vec<Bins>, Vec<Vec<u8>>) = columns.into_iter().unzip();
        let width = group_width(bins.len());
        let mut place = vec![(0, 0); bins.len()];
        let mut groups = Vec::new();
        for from in (0..bins.len()).step_by(width) {
            let features: Vec<usize> = (from..(from + width).min(bins.len())).collect();
            for (lane, feature) in features.iter().enumerate() {
                place[*feature] = (groups.len(), lane);
            }
            groups.push(Group {
                codes: interleave(&codes[from..from + features.len()], matrix.rows),
                features,
            });
        }
        Self { rows: matrix.rows, bins, groups, place }
    }

    /// Number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.bins.len()
    }

    /// The bin of one value.
    pub(super) fn code(&self, feature: usize, row: usize) -> u8 {
        let (group, lane) = self.place[feature];
        self.groups[group].codes[row][lane]
    }

    /// True for numbers.
    pub(super) fn is_number(&self, feature: usize) -> bool {
        matches!(self.bins[feature], Bins::Number { .. })
    }
}

/// Words are filled evenly, so that a few threads share few features fairly; sums do not depend on it.
fn group_width(features: usize) -> usize {
    let groups = features.div_ceil(LANES).max(features.min(4).div_ceil(2)).max(1);
    let even = groups + groups % 2;
    let groups = if features >= 2 { even } else { 1 };
    features.div_ceil(groups).clamp(1, LANES)
}

fn interleave(codes: &[Vec<u8>], rows: usize) -> Vec<[u8; LANES]> {
    let mut words = vec![[0; LANES]; rows];
    for (lane, codes) in codes.iter().enumerate() {
        words.iter_mut().zip(codes).for_each(|(word, code)| word[lane] = *code);
    }
    words
}

fn category_bins(column: &[f64], levels: u32) -> Bins {
    let mut count = vec![0_usize; levels as usize];
    for value in column.iter().filter(|value| !value.is_nan()) {
        if let Some(count) = count.get_mut(*value as usize) {
            *count += 1;
        }
    }
    let mut code: Vec<u32> = (0..levels).filter(|code| count[*code as usize] > 0).collect();
    code.sort_by_key(|code| (std::cmp::Reverse(count[*code as usize]), *code));
    code.truncate(MAX_BINS);
    let mut bin = vec![MISSING; levels as usize];
    for (at, code) in code.iter().enumerate() {
        bin[*code as usize] = at as u8 + 1;
    }
    Bins::Category { bin, code }
}

/// Distinct values in ascending order with their counts.
fn distinct(column: &[f64]) -> Vec<(f64, usize)> {
    let step = column.len().div_ceil(SAMPLE).max(1);
    let mut values: Vec<f64> = column.iter().step_by(step).copied().filter(|value| !value.is_nan()).collect();
    values.sort_unstable_by(f64::total_cmp);
    let mut out: Vec<(f64, usize)> = Vec::new();
    for value in values {
        match out.last_mut() {
            // `==` rather than the total order, so that 0 and -0 are one value.
            Some(last) if last.0 == value => last.1 += 1,
            _ => out.push((value, 1)),
        }
    }
    out
}

fn number_bins(column: &[f64]) -> Bins {
    let values = distinct(column);
    let mut upper = Vec::new();
    let rows: usize = values.iter().map(|value| value.1).sum();
    let mean = rows as f64 / MAX_BINS as f64;
    let few = values.len() <= MAX_BINS;
    let heavy = |count: usize| !few && count as f64 >= mean;
    // Values that fill a bin alone get one; the rest share what is left evenly.
    let (mut light_rows, mut light_bins) = (rows, MAX_BINS);
    for value in values.iter().filter(|value| heavy(value.1)) {
        light_rows -= value.1;
        light_bins -= 1;
    }
    let mut target = if few { MIN_ROWS as f64 } else { light_rows as f64 / light_bins.max(1) as f64 };
    let mut filled = 0;
    for pair in values.windows(2) {
        let [(value, count), (next, next_count)] = [pair[0], pair[1]];
        filled += count;
        if !heavy(count) {
            light_rows -= count;
        }
        let full = filled as f64 >= target || heavy(count);
        let before_heavy = heavy(next_count) && filled as f64 >= (target * 0.5).max(1.0);
        if full || before_heavy {
            upper.push(midpoint(value, next));
            filled = 0;
            if upper.len() + 1 >= MAX_BINS {
                break;
            }
            if !heavy(count) && !few {
                light_bins = light_bins.saturating_sub(1);
                target = light_rows as f64 / light_bins.max(1) as f64;
            }
        }
    }
    Bins::Number { upper }
}

/// A threshold t with a ≤ t < b.
fn midpoint(a: f64, b: f64) -> f64 {
    let middle = a / 2.0 + b / 2.0;
    if middle >= a && middle < b { middle } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binned(column: Vec<f64>, kind: FeatureKind) -> Binned {
        Binned::new(&Matrix { rows: column.len(), columns: vec![column], kinds: vec![kind] })
    }

    #[test]
    fn few_values_get_a_bin_each_with_thresholds_between_them() {
        let column: Vec<f64> = (0..30).map(|i| f64::from(i % 3)).collect();
        let Bins::Number { upper } = &binned(column, FeatureKind::Number).bins[0] else { unreachable!() };
        assert_eq!(upper, &[0.5, 1.5]);
    }

    #[test]
    fn many_values_fill_at_most_255_bins_evenly() {
        let column: Vec<f64> = (0..10_000).map(|i| f64::from(i).powi(2)).collect();
        let binned = binned(column, FeatureKind::Number);
        let mut count = vec![0; 256];
        (0..10_000).for_each(|row| count[binned.code(0, row) as usize] += 1);
        assert_eq!(count[MISSING as usize], 0);
        let filled: Vec<i32> = count.into_iter().filter(|n| *n > 0).collect();
        assert!(filled.len() > 240, "{}", filled.len());
        assert!(filled.iter().all(|n| *n <= 80), "{filled:?}");
    }

    #[test]
    fn a_value_that_stands_out_gets_its_own_bin() {
        let column: Vec<f64> = (0..20_000).map(|i| if i % 2 == 0 { 0.0 } else { f64::from(i) }).collect();
        let binned = binned(column, FeatureKind::Number);
        assert_eq!(binned.code(0, 0), 1);
        assert!((0..20_000).all(|row| (row % 2 == 0) == (binned.code(0, row) == 1)));
    }

    #[test]
    fn missing_and_unknown_levels_share_the_missing_bin() {
        let column = vec![0.0, 1.0, f64::NAN, 7.0, 1.0];
        let binned = binned(column, FeatureKind::Category { levels: 3 });
        let codes: Vec<u8> = (0..5).map(|row| binned.code(0, row)).collect();
        assert_eq!(codes, [2, 1, 0, 0, 1]);
    }

    #[test]
    fn infinite_and_huge_values_are_binned_without_harm() {
        let column = [f64::NEG_INFINITY, -1e308, 0.0, 1e308, f64::INFINITY].repeat(5);
        let binned = binned(column, FeatureKind::Number);
        assert!((1..25).all(|row| binned.code(0, row) >= 1));
        assert!(binned.code(0, 0) < binned.code(0, 4));
    }
}
