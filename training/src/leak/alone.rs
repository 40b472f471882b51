//! What one column alone tells, and whether that is more than facts tell.

use crate::leak::odds::{Count, factors, percent};
use crate::leak::view::{View, Views};
use crate::leak::{Found, LeakSign};
use crate::metric::auc;

/// Share of the outcome's entropy that no fact tells alone; an AUC of about 0.98.
const ALL_BUT_TOLD: f64 = 0.75;
/// The same where every other column tells much less; an AUC of about 0.92.
const MUCH: f64 = 0.5;
const AHEAD: f64 = 2.5;
/// Factor by which a value must raise the odds of the outcome to settle it.
const SETTLES: f64 = 50.0;
/// Factor by which it must lower them; larger, as most outcomes are rare and nearly absent somewhere.
const RULES_OUT: f64 = 100.0;
/// Share of the rows, or of the rarer outcome, that a settling value must have.
const SHARE: f64 = 0.01;
const SHARE_OF_OUTCOME: f64 = 0.05;
/// The same for all numbers on one side: honest numbers do thin out towards their ends.
const SHARE_OF_SIDE: f64 = 0.05;
/// Share of all rows' rate of the outcome (or of its absence) up to which that is nearly gone. Measured against
/// all rows, so that the many are not called settled because a few others are.
const NEARLY_NONE: f64 = 0.1;
/// Factor between the odds on both sides of an edge: honest numbers settle an outcome by degrees.
const EDGE: f64 = 10.0;
/// Rows of everybody added to each state before its rate is taken.
const DRAWN: f64 = 3.0;

/// What one column alone tells.
pub(super) struct Alone {
    /// Log-odds of each row by the rate of its state in the other folds.
    pub raw: Vec<f64>,
    pub auc: f64,
    /// Share of the outcome's entropy told, less twice its standard error; at most 1.
    pub surely_told: f64,
    /// The share itself.
    pub told: f64,
    pub counts: Vec<Count>,
}

impl Views<'_> {
    /// Reads a column by the rate of the outcome in each of its states, in four folds.
    pub fn alone(&self, view: &View<'_>) -> Alone {
        self.told_by(&view.state, view.states.len())
    }

    /// The same for any states.
    pub fn told_by(&self, state: &[u32], states: usize) -> Alone {
        let base = self.all.rate();
        let mut counts = vec![Count::default(); states];
        let mut by_fold = vec![Count::default(); states * 4];
        for ((state, label), fold) in state.iter().zip(&self.label).zip(&self.fold) {
            counts[*state as usize].add(*label);
            by_fold[*state as usize * 4 + *fold as usize].add(*label);
        }
        let raw_of = |(state, fold): (&u32, &u8)| {
            let others = counts[*state as usize].without(by_fold[*state as usize * 4 + *fold as usize]);
            let rate = (others.with + DRAWN * base) / (others.rows + DRAWN);
            (rate / (1.0 - rate)).ln()
        };
        let raw: Vec<f64> = state.iter().zip(&self.fold).map(raw_of).collect();
        let (told, error) = self.told(&raw);
        Alone { auc: auc(&raw, &self.label).max(0.5), surely_told: told - 2.0 * error, told, counts, raw }
    }

    /// Share of the outcome's entropy that log-odds tell, with its standard error.
    fn told(&self, raw: &[f64]) -> (f64, f64) {
        let base = self.all.rate();
        let entropy = -(base * base.ln() + (1.0 - base) * (1.0 - base).ln());
        let loss = |z: f64, y: f64| z.max(0.0) - z * y + (-z.abs()).exp().ln_1p();
        let nothing = (base / (1.0 - base)).ln();
        let gains: Vec<f64> =
            raw.iter().zip(&self.label).map(|(z, y)| (loss(nothing, *y) - loss(*z, *y)) / entropy).collect();
        let rows = gains.len() as f64;
        let mean = gains.iter().sum::<f64>() / rows;
        let spread = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>() / rows;
        (mean, (spread / (rows * self.independent)).sqrt())
    }
}

pub(super) fn find(views: &Views<'_>, alone: &[Alone], found: &mut Found) {
    for (at, view) in views.columns.iter().enumerate() {
        let signs = [too_good(alone, at), filled(views, view, &alone[at]), decides(views, view, &alone[at])];
        let signs: Vec<LeakSign> = signs.into_iter().flatten().collect();
        if !signs.is_empty() {
            found.entry(at).or_default().extend(signs);
        }
    }
}

fn too_good(alone: &[Alone], at: usize) -> Option<LeakSign> {
    let own = &alone[at];
    let next =
        (0..alone.len()).filter(|other| *other != at).map(|other| alone[other].told).fold(0.0, f64::max);
    let ahead = alone.len() > 2 && own.surely_told >= MUCH && own.surely_told >= AHEAD * next;
    (own.surely_told >= ALL_BUT_TOLD || ahead).then(|| LeakSign::TooGood {
        detail: format!(
            "alone it tells {} of the outcome (AUC {:.3}); the next column tells {}",
            percent(own.told.min(1.0)),
            own.auc,
            percent(next.clamp(0.0, 1.0))
        ),
    })
}

/// Which side of the outcome some rows settle, if they do.
fn settled(views: &Views<'_>, some: Count) -> bool {
    let rest = views.all.without(some);
    let (above, below) = factors(some, rest, views.independent);
    let (rate, all) = (some.rate(), views.all.rate());
    let nearly_all = 1.0 - rate <= NEARLY_NONE * (1.0 - all);
    let nearly_none = rate <= NEARLY_NONE * all;
    (above >= SETTLES && nearly_all) || (below >= RULES_OUT && nearly_none)
}

fn large(views: &Views<'_>, some: Count, share: f64) -> bool {
    let (with, without) = (views.all.with, views.all.rows - views.all.with);
    let of_outcome = |some: f64, all: f64| some >= SHARE_OF_OUTCOME * all;
    let rarer =
        if with < without { of_outcome(some.with, with) } else { of_outcome(some.rows - some.with, without) };
    some.rows >= share * views.all.rows || rarer
}

fn filled(views: &Views<'_>, view: &View<'_>, own: &Alone) -> Option<LeakSign> {
    let missing = own.counts[view.missing() as usize];
    let present = views.all.without(missing);
    let both = large(views, missing, SHARE) && large(views, present, SHARE);
    (both && (settled(views, missing) || settled(views, present))).then(|| LeakSign::Filled {
        detail: format!(
            "{} of the rows with a value have the outcome, {} of those without",
            percent(present.rate()),
            percent(missing.rate())
        ),
    })
}

fn decides(views: &Views<'_>, view: &View<'_>, own: &Alone) -> Option<LeakSign> {
    let single = || {
        let settling = |state: &usize| {
            let count = own.counts[*state];
            *state != view.missing() as usize && large(views, count, SHARE) && settled(views, count)
        };
        let largest = |a: &usize, b: &usize| own.counts[*a].rows.total_cmp(&own.counts[*b].rows);
        let state = (0..own.counts.len()).filter(settling).max_by(largest)?;
        Some((view.words(state), own.counts[state]))
    };
    let (words, some) = match view.nominal {
        true => single()?,
        false => atom(views, view, own).or_else(|| side(views, view, own))?,
    };
    let rest = views.all.without(some);
    Some(LeakSign::Decides {
        detail: format!(
            "where it {words} ({:.0} of {:.0} rows looked at), {} have the outcome, elsewhere {}",
            some.rows,
            views.all.rows,
            percent(some.rate()),
            percent(rest.rate())
        ),
    })
}

/// A frequent number that settles the outcome.
fn atom(views: &Views<'_>, view: &View<'_>, own: &Alone) -> Option<(String, Count)> {
    let settling = |state: &usize| {
        let count = own.counts[*state];
        matches!(view.states[*state], super::view::State::Value(_))
            && large(views, count, SHARE)
            && settled(views, count)
    };
    let largest = |a: &usize, b: &usize| own.counts[*a].rows.total_cmp(&own.counts[*b].rows);
    let state = (0..own.counts.len()).filter(settling).max_by(largest)?;
    Some((view.words(state), own.counts[state]))
}

/// All numbers from one end to an edge, if they settle the outcome: the longest such stretch.
fn side(views: &Views<'_>, view: &View<'_>, own: &Alone) -> Option<(String, Count)> {
    let states: Vec<usize> = (0..view.missing() as usize).collect();
    let stretch = |order: &[usize]| {
        let (mut sum, mut best) = (Count::default(), None);
        for (at, state) in order.iter().enumerate() {
            sum = sum.and(own.counts[*state]);
            if large(views, sum, SHARE_OF_SIDE)
                && settled(views, sum)
                && edge(own, &order[..=at], &order[at + 1..])
            {
                best = Some((*state, sum));
            }
        }
        best
    };
    let low = stretch(&states).map(|(state, sum)| (format!("is at most {}", view.end(state).1), sum));
    let back: Vec<usize> = states.iter().rev().copied().collect();
    let high = || stretch(&back).map(|(state, sum)| (format!("is at least {}", view.end(state).0), sum));
    low.or_else(high)
}

/// True when the odds jump between the last states of a stretch and the first ones after it.
fn edge(own: &Alone, inside: &[usize], outside: &[usize]) -> bool {
    let odds = |states: &mut dyn Iterator<Item = &usize>| {
        states.take(2).fold(Count::default(), |sum, state| sum.and(own.counts[*state])).odds()
    };
    let (near, far) = (odds(&mut inside.iter().rev()), odds(&mut outside.iter()));
    !outside.is_empty() && (near / far).max(far / near) >= EDGE
}

impl View<'_> {
    /// The first and last number of a state.
    fn end(&self, state: usize) -> (String, String) {
        match &self.states[state] {
            super::view::State::Between(low, high) => (self.number(*low), self.number(*high)),
            super::view::State::Value(value) => (value.clone(), value.clone()),
            _ => (String::new(), String::new()),
        }
    }
}
