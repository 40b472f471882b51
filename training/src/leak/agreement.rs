//! Columns that agree in nearly every row, and come apart where the outcome is one of the two.
//!
//! Days up to stage three and days up to the close are the same number until a deal is closed; shares of time add
//! up to one until there is a stage outside of them; the room that was booked is the room that was given, unless
//! the guest came. What two columns disagree on is then news about the outcome that neither has alone.

use crate::dataset::ColumnData;
use crate::leak::alone::Alone;
use crate::leak::odds::{Count, factors, percent};
use crate::leak::view::{View, Views};
use crate::leak::{Found, LeakSign};

/// Share of the rows concerned in which columns must agree.
const AGREE: f64 = 0.75;
/// Share of all rows that must be concerned: neither all zero nor all missing.
const CONCERNED: f64 = 0.3;
/// Independent rows needed in which they come apart.
const APART: f64 = 40.0;
/// Factor between the odds where they come apart and where they agree.
const FACTOR: f64 = 10.0;
/// Factor between the odds where they come apart and what each column alone makes of these rows.
const NEWS: f64 = 3.0;
/// Rows looked at first, and columns up to which sums are looked for.
const GLANCE: usize = 256;
const SUMS: usize = 60;
/// Largest set of shares.
const SHARES: usize = 12;

/// Whether the columns agree in a row; none where they have nothing to say.
type Agree<'a> = &'a dyn Fn(usize) -> Option<bool>;

pub(super) fn find(views: &Views<'_>, alone: &[Alone], found: &mut Found) {
    let mut search = Search { views, alone, found };
    search.pairs();
    search.sums();
    search.shares();
}

struct Search<'a, 'b> {
    views: &'a Views<'b>,
    alone: &'a [Alone],
    found: &'a mut Found,
}

impl Search<'_, '_> {
    fn pairs(&mut self) {
        for b in 0..self.views.columns.len() {
            for a in 0..b {
                let (left, right) = (&self.views.columns[a], &self.views.columns[b]);
                let agree =
                    |row| same_number(left, right, row).or_else(|| same_text(left, right, self.views, row));
                if many(left) && many(right) && self.glance(&agree) {
                    self.judge(&[a, b], &agree, &format!("{} and {} are the same", left.name, right.name));
                }
            }
        }
    }

    /// `a + b = c`.
    fn sums(&mut self) {
        let columns = self.numbers();
        for (at, b) in columns.iter().enumerate().take(SUMS) {
            for a in &columns[..at] {
                for c in columns.iter().take(SUMS).filter(|c| *c != a && *c != b) {
                    let of = |column: &usize, row| number(&self.views.columns[*column], row);
                    let agree = |row| {
                        let (x, y, z) = (of(a, row)?, of(b, row)?, of(c, row)?);
                        (x != 0.0 && y != 0.0).then(|| close(x + y, z, x.abs() + y.abs()))
                    };
                    if self.glance(&agree) {
                        let name = |column: &usize| self.views.columns[*column].name;
                        let what = format!("{} and {} add up to {}", name(a), name(b), name(c));
                        self.judge(&[*a, *b, *c], &agree, &what);
                    }
                }
            }
        }
    }

    /// Columns from 0 to the same largest number that add up to it: all of them, or any three or two.
    fn shares(&mut self) {
        let mut left: Vec<(usize, f64)> =
            self.numbers().into_iter().filter_map(|at| Some((at, whole(&self.views.columns[at])?))).collect();
        left.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        let sets: Vec<(Vec<usize>, f64)> = left
            .chunk_by(|a, b| close(a.1, b.1, a.1))
            .map(|set| (set.iter().map(|share| share.0).collect(), set[0].1))
            .collect();
        for (set, most) in sets {
            for part in parts(&set) {
                let agree = |row| {
                    let sum: Option<f64> = part.iter().map(|at| number(&self.views.columns[*at], row)).sum();
                    sum.filter(|sum| *sum != 0.0).map(|sum| (sum - most).abs() <= 0.005 * most)
                };
                if self.glance(&agree) {
                    let names: Vec<&str> = part.iter().map(|at| self.views.columns[*at].name).collect();
                    let what = format!("{} add up to {}", names.join(", "), super::view::short(most));
                    self.judge(&part, &agree, &what);
                }
            }
        }
    }

    fn numbers(&self) -> Vec<usize> {
        let kept = |at: &usize| self.views.columns[*at].numbers.is_some() && many(&self.views.columns[*at]);
        (0..self.views.columns.len()).filter(kept).collect()
    }

    /// A look at few rows, so that hopeless sets of columns cost next to nothing.
    fn glance(&self, agree: Agree<'_>) -> bool {
        let rows = self.views.rows.len();
        let (mut seen, mut kept) = (0_usize, 0_usize);
        for row in (0..rows).step_by(rows.div_ceil(GLANCE).max(1)) {
            if let Some(agrees) = agree(row) {
                seen += 1;
                kept += usize::from(agrees);
            }
            if seen >= 16 && 2 * kept < seen {
                return false;
            }
        }
        seen >= 16
    }

    fn judge(&mut self, columns: &[usize], agree: Agree<'_>, what: &str) {
        let (mut kept, mut apart) = (Count::default(), Count::default());
        let mut expected = vec![0.0; columns.len()];
        for row in 0..self.views.rows.len() {
            match agree(row) {
                Some(true) => kept.add(self.views.label[row]),
                Some(false) => {
                    apart.add(self.views.label[row]);
                    for (sum, at) in expected.iter_mut().zip(columns) {
                        *sum += 1.0 / (1.0 + (-self.alone[*at].raw[row]).exp());
                    }
                }
                None => {}
            }
        }
        let concerned = kept.rows + apart.rows;
        let agreeing = kept.rows >= AGREE * concerned && concerned >= CONCERNED * self.views.all.rows;
        if !agreeing || apart.rows * self.views.independent < APART || !self.telling(kept, apart, &expected) {
            return;
        }
        let detail = format!(
            "{what} in {} of rows; where they are not, {} have the outcome, else {}",
            percent(kept.rows / concerned),
            percent(apart.rate()),
            percent(kept.rate())
        );
        for at in columns {
            let with = columns.iter().filter(|other| *other != at);
            let with = with.map(|other| self.views.columns[*other].name.to_owned()).collect();
            let signs = self.found.entry(*at).or_default();
            // One broken agreement is enough of a mark.
            if !signs.iter().any(|sign| matches!(sign, LeakSign::Changed { .. })) {
                signs.push(LeakSign::Changed { with, detail: detail.clone() });
            }
        }
    }

    fn telling(&self, kept: Count, apart: Count, expected: &[f64]) -> bool {
        let independent = self.views.independent;
        let (above, below) = factors(apart, kept, independent);
        let news = |pick: fn((f64, f64)) -> f64| {
            let of = |with: &f64| factors(apart, Count { rows: apart.rows, with: *with }, independent);
            expected.iter().all(|with| pick(of(with)) >= NEWS)
        };
        (above >= FACTOR && news(|both| both.0)) || (below >= FACTOR && news(|both| both.1))
    }
}

/// More than two different values.
fn many(view: &View<'_>) -> bool {
    view.states.len() > if view.nominal { 4 } else { 3 }
}

fn number(view: &View<'_>, row: usize) -> Option<f64> {
    view.numbers.as_ref().map(|numbers| numbers[row]).filter(|x| !x.is_nan())
}

fn close(a: f64, b: f64, size: f64) -> bool {
    (a - b).abs() <= 1e-6 * size.max(1e-3)
}

fn same_number(a: &View<'_>, b: &View<'_>, row: usize) -> Option<bool> {
    let (x, y) = (*a.numbers.as_ref()?.get(row)?, *b.numbers.as_ref()?.get(row)?);
    let nothing = |x: f64| x.is_nan() || x == 0.0;
    if nothing(x) && nothing(y) {
        return None;
    }
    Some(close(x, y, x.abs()))
}

fn same_text(a: &View<'_>, b: &View<'_>, views: &Views<'_>, row: usize) -> Option<bool> {
    let row = views.rows[row] as usize;
    let text = |view: &View<'_>| match &view.column.data {
        ColumnData::Text { codes, levels } => Some(levels.get(codes[row] as usize).cloned()),
        _ => None,
    };
    let (a, b) = (text(a)?, text(b)?);
    (a.is_some() || b.is_some()).then(|| a == b)
}

/// The largest number of a column of shares: none below zero, some at zero, few different from what shares are.
fn whole(view: &View<'_>) -> Option<f64> {
    let numbers = view.numbers.as_ref()?.iter().copied().filter(|x| !x.is_nan());
    let (low, high) = numbers.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
    (low >= 0.0 && high > 0.0).then_some(high)
}

/// The set itself, and its parts of three and two.
fn parts(set: &[usize]) -> Vec<Vec<usize>> {
    if set.len() < 2 || set.len() > SHARES {
        return Vec::new();
    }
    let mut parts = vec![set.to_vec()];
    for (at, a) in set.iter().enumerate() {
        for (next, b) in set.iter().enumerate().skip(at + 1) {
            if set.len() > 2 {
                parts.push(vec![*a, *b]);
            }
            if set.len() > 3 {
                parts.extend(set.iter().skip(next + 1).map(|c| vec![*a, *b, *c]));
            }
        }
    }
    parts
}
