//! The best cut of a leaf on one feature.

use super::bins::MISSING;
use super::histogram::Cell;
use super::params::{BoostingParams, CategoryParams};
use super::tree::Side;

/// Sums over the rows of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sums {
    /// Sum of gradients.
    pub gradient: f64,
    /// Sum of hessians.
    pub hessian: f64,
}

impl Sums {
    fn add(&mut self, cell: &Cell) {
        self.gradient += cell[0];
        self.hessian += cell[1];
    }

    fn minus(self, other: Self) -> Self {
        Self { gradient: self.gradient - other.gradient, hessian: self.hessian - other.hessian }
    }
}

/// What a search needs to know of the leaf.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeafState {
    pub sums: Sums,
    /// Rows in the leaf.
    pub rows: usize,
    /// Least and largest value its descendants may have, because of monotone features above.
    pub bounds: [f64; 2],
}

/// Which bins go left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cut {
    /// Bins up to and including this one (missing apart).
    UpTo(u8),
    /// Bins whose bit is set (missing apart).
    Among([u64; 4]),
}

/// A cut with what it gains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    pub feature: usize,
    pub gain: f64,
    pub cut: Cut,
    pub missing: Side,
    pub left: Sums,
    pub right: Sums,
    pub left_value: f64,
    pub right_value: f64,
}

/// The search on one leaf.
pub(super) struct Search<'a> {
    params: &'a BoostingParams,
    leaf: LeafState,
    /// Least hessian of a child: the setting, or what the fewest rows come to.
    least: f64,
    /// Rows per unit of hessian in this leaf.
    rows_per_hessian: f64,
    bounded: bool,
}

impl<'a> Search<'a> {
    pub fn new(params: &'a BoostingParams, leaf: LeafState) -> Self {
        let rows_per_hessian = leaf.rows as f64 / leaf.sums.hessian.max(1e-300);
        // Rows are counted by hessian and rounded, hence the half.
        let least = params.min_weight.max((params.min_rows as f64 - 0.5) / rows_per_hessian);
        Self { params, leaf, least, rows_per_hessian, bounded: !params.monotone.is_empty() }
    }

    /// True when a leaf with this many rows can be cut at all.
    pub fn possible(params: &BoostingParams, leaf: &LeafState) -> bool {
        leaf.rows >= 2 * params.min_rows && leaf.sums.hessian >= 2.0 * params.min_weight
    }

    /// True when a bin holds rows of this leaf; subtraction may leave a trace of rows that it does not hold.
    fn seen(&self, cell: &Cell) -> bool {
        cell[1] > 1e-11 * self.leaf.sums.hessian
    }

    fn value(&self, sums: Sums, l2: f64) -> f64 {
        let value = -sums.gradient / (sums.hessian + l2);
        if self.bounded { value.clamp(self.leaf.bounds[0], self.leaf.bounds[1]) } else { value }
    }

    /// Twice the loss that the best value of a leaf with these sums takes away.
    fn worth(&self, sums: Sums, l2: f64) -> f64 {
        if self.bounded {
            let value = self.value(sums, l2);
            return -(2.0 * sums.gradient * value + (sums.hessian + l2) * value * value);
        }
        sums.gradient * sums.gradient / (sums.hessian + l2)
    }

    fn finish(&self, feature: usize, found: Found, l2: f64) -> Split {
        let right = self.leaf.sums.minus(found.left);
        let missing = found.missing.unwrap_or(if found.left.hessian >= right.hessian {
            Side::Left
        } else {
            Side::Right
        });
        Split {
            feature,
            gain: found.worth - self.worth(self.leaf.sums, self.params.l2),
            cut: found.cut,
            missing,
            left: found.left,
            right,
            left_value: self.value(found.left, l2),
            right_value: self.value(right, l2),
        }
    }

    /// The best cut of an ordered feature.
    pub fn number(&self, feature: usize, cells: &[Cell]) -> Option<Split> {
        let direction = self.params.monotone.get(feature).copied().unwrap_or(0);
        let some_missing = self.seen(&cells[MISSING as usize]);
        let mut best = Found::NONE;
        self.scan(cells, Sums::default(), direction, some_missing, &mut best);
        if some_missing {
            best.missing = Some(Side::Right);
            let before = best.worth;
            let mut start = Sums::default();
            start.add(&cells[MISSING as usize]);
            self.scan(cells, start, direction, false, &mut best);
            if best.worth > before {
                best.missing = Some(Side::Left);
            }
        }
        best.is_some().then(|| self.finish(feature, best, self.params.l2))
    }

    /// Tries every cut from below, the left side beginning with `left`; with `to_end` also the cut that
    /// leaves only missing values on the right.
    fn scan(&self, cells: &[Cell], mut left: Sums, direction: i8, to_end: bool, best: &mut Found) {
        let total = self.leaf.sums;
        let last = if to_end { cells.len() } else { cells.len() - 1 };
        for (bin, cell) in cells.iter().enumerate().take(last).skip(1) {
            left.add(cell);
            if left.hessian < self.least {
                continue;
            }
            let right = total.minus(left);
            if right.hessian < self.least {
                break;
            }
            let l2 = self.params.l2;
            let worth = self.worth(left, l2) + self.worth(right, l2);
            if worth > best.worth && (direction == 0 || self.rises(left, right, direction)) {
                (best.worth, best.cut, best.left) = (worth, Cut::UpTo(bin as u8), left);
            }
        }
    }

    fn rises(&self, left: Sums, right: Sums, direction: i8) -> bool {
        let step = self.value(right, self.params.l2) - self.value(left, self.params.l2);
        step * f64::from(direction) >= 0.0
    }

    /// The best cut of a feature whose bins have no order. Missing values are a level like any other; the
    /// side without listed levels also takes levels never seen.
    pub fn category(&self, feature: usize, cells: &[Cell]) -> Option<Split> {
        let settings = &self.params.category;
        let seen: Vec<u8> =
            (0..cells.len()).filter(|bin| self.seen(&cells[*bin])).map(|bin| bin as u8).collect();
        let mut best = Found::NONE;
        let l2 = if seen.len() <= settings.one_against_rest {
            self.one_against_rest(cells, &seen, &mut best);
            self.params.l2
        } else {
            self.many_against_many(cells, &seen, settings, &mut best);
            self.params.l2 + settings.l2
        };
        if !best.is_some() {
            return None;
        }
        if let Cut::Among(bits) = &mut best.cut {
            best.missing = Some(if bits[0] & 1 == 1 { Side::Left } else { Side::Right });
            bits[0] &= !1;
        }
        Some(self.finish(feature, best, l2))
    }

    fn one_against_rest(&self, cells: &[Cell], seen: &[u8], best: &mut Found) {
        for bin in seen {
            let mut left = Sums::default();
            left.add(&cells[*bin as usize]);
            let right = self.leaf.sums.minus(left);
            if left.hessian < self.least || right.hessian < self.least {
                continue;
            }
            let worth = self.worth(left, self.params.l2) + self.worth(right, self.params.l2);
            if worth > best.worth {
                let mut bits = [0; 4];
                set(&mut bits, *bin);
                (best.worth, best.cut, best.left) = (worth, Cut::Among(bits), left);
            }
        }
    }

    fn many_against_many(&self, cells: &[Cell], seen: &[u8], settings: &CategoryParams, best: &mut Found) {
        let rows = |hessian: f64| hessian * self.rows_per_hessian;
        let enough = |bin: &&u8| rows(cells[**bin as usize][1]) >= settings.smooth;
        let mut order: Vec<u8> = seen.iter().filter(enough).copied().collect();
        let statistic = |bin: u8| cells[bin as usize][0] / (cells[bin as usize][1] + settings.smooth);
        order.sort_by(|a, b| statistic(*a).total_cmp(&statistic(*b)).then(a.cmp(b)));
        let most = settings.max_levels.min(order.len().div_ceil(2));
        let mut from_end = order.clone();
        from_end.reverse();
        for order in [order, from_end] {
            self.scan_levels(cells, &order[..most], settings, best);
        }
    }

    fn scan_levels(&self, cells: &[Cell], order: &[u8], settings: &CategoryParams, best: &mut Found) {
        let l2 = self.params.l2 + settings.l2;
        let (mut left, mut bits, mut since) = (Sums::default(), [0; 4], 0.0);
        for bin in order {
            let cell = &cells[*bin as usize];
            left.add(cell);
            set(&mut bits, *bin);
            since += cell[1] * self.rows_per_hessian;
            let right = self.leaf.sums.minus(left);
            let apart = settings.min_rows as f64 - 0.5;
            if left.hessian < self.least || since < apart {
                continue;
            }
            if right.hessian < self.least || right.hessian * self.rows_per_hessian < apart {
                break;
            }
            since = 0.0;
            let worth = self.worth(left, l2) + self.worth(right, l2);
            if worth > best.worth {
                (best.worth, best.cut, best.left) = (worth, Cut::Among(bits), left);
            }
        }
    }
}

fn set(bits: &mut [u64; 4], bin: u8) {
    bits[(bin / 64) as usize] |= 1 << (bin % 64);
}

/// The best cut so far.
#[derive(Clone, Copy)]
struct Found {
    worth: f64,
    cut: Cut,
    left: Sums,
    missing: Option<Side>,
}

impl Found {
    const NONE: Self = Self {
        worth: f64::NEG_INFINITY,
        cut: Cut::UpTo(0),
        left: Sums { gradient: 0.0, hessian: 0.0 },
        missing: None,
    };

    fn is_some(&self) -> bool {
        self.worth > f64::NEG_INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(params: &BoostingParams, cells: &[Cell]) -> LeafState {
        let mut sums = Sums::default();
        cells.iter().for_each(|cell| sums.add(cell));
        assert!(params.check().is_ok());
        LeafState { sums, rows: (sums.hessian * 4.0).round() as usize, bounds: [f64::MIN, f64::MAX] }
    }

    fn params() -> BoostingParams {
        let category =
            CategoryParams { smooth: 0.0, l2: 0.0, min_rows: 1, one_against_rest: 2, max_levels: 64 };
        BoostingParams { min_rows: 1, category, ..BoostingParams::default() }
    }

    /// The best worth over all ways to send bins left or right.
    fn exhaustive(cells: &[Cell], allowed: impl Fn(u32) -> bool) -> f64 {
        let mut best = f64::NEG_INFINITY;
        for mask in 1..(1_u32 << cells.len()) - 1 {
            if !allowed(mask) {
                continue;
            }
            let side = |want: u32| {
                let mut sums = Sums::default();
                cells
                    .iter()
                    .enumerate()
                    .filter(|(b, _)| mask >> b & 1 == want)
                    .for_each(|(_, c)| sums.add(c));
                sums.gradient * sums.gradient / sums.hessian
            };
            best = best.max(side(1) + side(0));
        }
        best
    }

    const CELLS: [Cell; 6] = [[-1.5, 2.0], [4.0, 3.0], [-2.0, 1.5], [0.5, 2.0], [-6.0, 4.0], [3.0, 2.5]];

    #[test]
    fn a_number_is_cut_where_a_full_search_would_cut_it() {
        let params = params();
        let leaf = search(&params, &CELLS);
        let split = Search::new(&params, leaf).number(0, &CELLS).unwrap();
        // Bit 0 is missing, on either side; bins 1..=5 split at a threshold.
        let contiguous = |mask: u32| {
            let bins = mask >> 1;
            bins & (bins + 1) == 0 || !bins & 31 & ((!bins & 31) + 1) == 0
        };
        let worth = split.gain + leaf.sums.gradient.powi(2) / leaf.sums.hessian;
        assert!((worth - exhaustive(&CELLS, contiguous)).abs() < 1e-9);
    }

    #[test]
    fn ordering_levels_finds_the_best_of_all_partitions() {
        let params = params();
        let leaf = search(&params, &CELLS);
        let split = Search::new(&params, leaf).category(0, &CELLS).unwrap();
        let worth = split.gain + leaf.sums.gradient.powi(2) / leaf.sums.hessian;
        assert!((worth - exhaustive(&CELLS, |_| true)).abs() < 1e-9);
    }

    #[test]
    fn a_monotone_feature_is_not_cut_against_its_direction() {
        let cells = [[0.0, 0.0], [-4.0, 3.0], [4.0, 3.0]];
        for (direction, expect) in [(0, true), (-1, true), (1, false)] {
            let params = BoostingParams { monotone: vec![direction], ..params() };
            let leaf = search(&params, &cells);
            assert_eq!(Search::new(&params, leaf).number(0, &cells).is_some(), expect, "{direction}");
        }
    }

    #[test]
    fn no_child_is_smaller_than_the_settings_allow() {
        let params = BoostingParams { min_rows: 9, ..params() };
        let cells = [[0.0, 0.0], [-4.0, 2.0], [4.0, 3.0], [1.0, 3.0]];
        let leaf = search(&params, &cells);
        let split = Search::new(&params, leaf).number(0, &cells).unwrap();
        assert_eq!(split.cut, Cut::UpTo(2));
    }
}
