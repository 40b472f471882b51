//! Columns that belong to the same clockwork as marked ones: they move with at least two of those, beyond what
//! the outcome explains, and with no column without a mark.

use crate::leak::alone::Alone;
use crate::leak::view::Views;
use crate::leak::{Found, LeakSign};

/// Share of a column's uncertainty that another must take away for the two to move together.
const TOGETHER: f64 = 0.12;
/// Share of the outcome that it must surely tell to matter.
const TELLS: f64 = 0.005;
/// Ordered states in which dependence is measured.
const STEPS: usize = 12;

pub(super) fn find(views: &Views<'_>, alone: &[Alone], found: &mut Found) {
    let numbers: Vec<usize> =
        (0..views.columns.len()).filter(|at| views.columns[*at].numbers.is_some()).collect();
    let clockwork = |sign: &LeakSign| {
        matches!(sign, LeakSign::Changed { .. } | LeakSign::Stamped { .. } | LeakSign::Sudden { .. })
    };
    let marked = |at: &usize| found.get(at).is_some_and(|signs| signs.iter().any(clockwork));
    let (wheels, rest): (Vec<usize>, Vec<usize>) = numbers.iter().partition(|at| marked(at));
    if wheels.len() < 2 {
        return;
    }
    let coarse: Vec<Vec<usize>> =
        views.columns.iter().map(|view| coarse(&view.state, view.states.len())).collect();
    let tie = |a: usize, b: usize| dependence(&coarse[a], &coarse[b], &views.label);
    let mut tied = Vec::new();
    for at in rest.iter().filter(|at| !found.contains_key(*at) && alone[**at].surely_told >= TELLS) {
        let mut with: Vec<(f64, usize)> = wheels.iter().map(|wheel| (tie(*at, *wheel), *wheel)).collect();
        with.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        with.retain(|(tie, _)| *tie >= TOGETHER);
        let others = (0..views.columns.len()).filter(|other| other != at && !wheels.contains(other));
        let other = others.map(|other| tie(*at, other)).fold(0.0, f64::max);
        if with.len() >= 2 && other <= with[1].0 / 2.0 {
            tied.push((*at, with));
        }
    }
    for (at, with) in tied {
        let names: Vec<String> =
            with.iter().map(|(_, wheel)| views.columns[*wheel].name.to_owned()).collect();
        let detail = format!("it moves with {} and with no other column", names.join(", "));
        found.entry(at).or_default().push(LeakSign::Tied { with: names, detail });
    }
}

/// States in at most [`STEPS`] steps of about equally many rows, in order; missing apart.
fn coarse(state: &[u32], states: usize) -> Vec<usize> {
    let mut counts = vec![0_usize; states];
    state.iter().for_each(|state| counts[*state as usize] += 1);
    let full = state.len().div_ceil(STEPS).max(1);
    let (mut step, mut filled) = (0, 0);
    let mut steps = vec![0; states];
    for (at, count) in counts.iter().enumerate() {
        if filled > 0 && (filled + count > full || at + 1 == states) {
            step += 1;
            filled = 0;
        }
        steps[at] = step;
        filled += count;
    }
    state.iter().map(|state| steps[*state as usize]).collect()
}

/// Mutual information of two columns given the outcome, over the smaller of their entropies given it (0..=1);
/// chance taken off (Miller 1955).
fn dependence(a: &[usize], b: &[usize], label: &[f64]) -> f64 {
    let (width, height) = (a.iter().max().map_or(1, |m| m + 1), b.iter().max().map_or(1, |m| m + 1));
    let (mut shared, mut own_a, mut own_b) = (0.0, 0.0, 0.0);
    for kind in [0.0, 1.0] {
        let mut both = vec![0.0; width * height];
        let (mut of_a, mut of_b, mut rows) = (vec![0.0; width], vec![0.0; height], 0.0);
        for ((a, b), _) in a.iter().zip(b).zip(label).filter(|(_, label)| **label == kind) {
            both[a * height + b] += 1.0;
            of_a[*a] += 1.0;
            of_b[*b] += 1.0;
            rows += 1.0;
        }
        let weight = rows / label.len() as f64;
        let (h_a, h_b, h) = (entropy(&of_a, rows), entropy(&of_b, rows), entropy(&both, rows));
        let chance = ((width - 1) * (height - 1)) as f64 / (2.0 * f64::max(rows, 1.0));
        shared += weight * (h_a + h_b - h - chance);
        own_a += weight * h_a;
        own_b += weight * h_b;
    }
    shared.max(0.0) / own_a.min(own_b).max(1e-9)
}

fn entropy(counts: &[f64], rows: f64) -> f64 {
    let part = |count: &f64| if *count > 0.0 { -(count / rows) * (count / rows).ln() } else { 0.0 };
    counts.iter().map(part).sum()
}
