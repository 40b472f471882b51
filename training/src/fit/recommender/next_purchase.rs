//! The next purchase, learnt from the past: what did customers with such a history buy soon after?
//!
//! Looking back, the log is cut at many moments; at each, what a user had by then predicts what the same user
//! took up in the stretch that followed. Unlike co-occurrence this knows what comes first and what comes
//! after, which items are fading, and which are bought again.

use scorehouse_features::time::{Span, Timestamp};
use scorehouse_models::ModelError;
use scorehouse_models::predictor::recommender::{Neighbours, Repeat, Strength};

use super::item_to_item::{RidgeSettings, ridge};
use super::log::InteractionLog;
use super::sparse::Sparse;
use super::split::suggestible;

/// How looking back is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LookBack {
    /// Length of the stretch whose purchases are predicted; half of it lies between two cuts.
    pub ahead: Span,
    /// Time after which a cut counts half.
    pub half_life: Span,
    /// How a past becomes a profile.
    pub strength: Strength,
    /// Which purchases count as targets: those that may be suggested.
    pub repeat: Repeat,
}

/// Histories of more entries than this, over all cuts, are thinned by cutting less often.
const MOST_ENTRIES: usize = 40_000_000;

impl LookBack {
    /// A stretch of an eighth of the log, fading over two.
    #[must_use]
    pub fn over(log: &InteractionLog, strength: Strength, repeat: Repeat) -> Self {
        let from = log.rows.first().map_or(0, |row| row.time.0);
        let eighth = (log.until().0.saturating_sub(from) / 8).max(1);
        Self { ahead: Span(eighth), half_life: Span(2 * eighth), strength, repeat }
    }

    /// The moments at which the log is cut, the latest first.
    fn cuts(&self, log: &InteractionLog) -> Vec<Timestamp> {
        let from = log.rows.first().map_or(Timestamp(0), |row| row.time).after(self.ahead);
        let until = log.until();
        // Each cut's histories hold at most the whole log.
        let affordable = (MOST_ENTRIES / log.rows.len().max(1)).clamp(2, 24) as i64;
        let span = until.before(self.ahead).0.saturating_sub(from.0).max(0);
        let step = (self.ahead.0 / 2).max(span / affordable).max(1);
        let cut = |n: i64| until.before(self.ahead).before(Span(n.saturating_mul(step)));
        (0..=affordable).map(cut).take_while(|cut| *cut >= from).collect()
    }
}

/// Fits weights from what users have to what they buy next; none when the log is too short to look back.
///
/// # Errors
/// [`ModelError::Invalid`] when there are more than 2³² weights.
pub fn next_purchase(
    log: &InteractionLog,
    look: LookBack,
    settings: RidgeSettings,
    done: &(dyn Fn(u64) + Sync),
) -> Result<Option<Neighbours>, ModelError> {
    let mut inputs: Vec<Vec<(u32, f32)>> = Vec::new();
    let mut targets: Vec<Vec<(u32, f32)>> = Vec::new();
    for cut in look.cuts(log) {
        collect(log, look, cut, &mut inputs, &mut targets);
    }
    if inputs.is_empty() {
        return Ok(None);
    }
    let inputs = Sparse::from_rows(inputs, log.items.len());
    let targets = Sparse::from_rows(targets, log.items.len());
    ridge(&inputs, &targets, settings, done).map(Some)
}

/// Adds one pair of rows for every user with a history at `cut` and a purchase soon after.
fn collect(
    log: &InteractionLog,
    look: LookBack,
    cut: Timestamp,
    inputs: &mut Vec<Vec<(u32, f32)>>,
    targets: &mut Vec<Vec<(u32, f32)>>,
) {
    let end = cut.after(look.ahead);
    let halves =
        log.until().before(look.ahead).0.saturating_sub(cut.0) as f64 / look.half_life.0.max(1) as f64;
    // Both sides of a regression carry the root of the row's weight.
    let weight = (-halves / 2.0).exp2() as f32;
    let mut soon: Vec<Vec<u32>> = vec![Vec::new(); log.users.len()];
    let first = log.rows.partition_point(|row| row.time <= cut);
    for row in log.rows[first..].iter().take_while(|row| row.time <= end).filter(|row| row.weight > 0.0) {
        soon[row.user as usize].push(row.item);
    }
    for (past, soon) in log.pasts(cut).into_iter().zip(soon) {
        let soon = suggestible(soon, &past, look.repeat, cut);
        let profile = look.strength.profile(&past, cut);
        if profile.is_empty() || soon.is_empty() {
            continue;
        }
        inputs.push(profile.into_iter().map(|e| (e.item, e.strength * weight)).collect());
        targets.push(soon.into_iter().map(|item| (item, weight)).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::{LogBuilder, Named};
    use super::*;
    use scorehouse_features::time::DAY;
    use scorehouse_models::predictor::recommender::{Component, Evidence, Learnt, Reads, WeightScale};

    #[test]
    fn what_comes_after_is_told_from_what_comes_before() {
        // Everyone buys a kettle, and thirty days later filters; other things are bought any time.
        let mut builder = LogBuilder::new(true);
        for user in 0..60i64 {
            let name = format!("u{user}");
            let mut add = |item: &str, day: i64| {
                let time = Some(Timestamp(day * DAY));
                builder.add(Named { user: &name, item, weight: 1.0, time, basket: None });
            };
            add("kettle", user * 5);
            add("filter", user * 5 + 30);
            add(["cup", "plate", "bowl"][(user % 3) as usize], user * 5 + 10);
        }
        let log = builder.finish();
        let strength = Strength { half_life: None, scale: WeightScale::Presence };
        let look = LookBack::over(&log, strength, Repeat::Never);
        let settings = RidgeSettings { neighbours: 10, regularisation: 1.0, without_self: false };
        let learnt = next_purchase(&log, look, settings, &|_| ()).unwrap().unwrap();
        let component = Component {
            name: "next".into(),
            weight: 1.0,
            reads: Reads::Profile,
            learnt: Learnt::Neighbours(learnt),
        };
        let item = |name: &str| log.items.iter().position(|i| i == name).unwrap();
        let scores = |name: &str| {
            let mut scores = vec![0.0; log.items.len()];
            component.score(&[Evidence { item: item(name) as u32, strength: 1.0 }], &mut scores);
            scores
        };
        assert!(scores("kettle")[item("filter")] > 0.3);
        assert!(scores("filter")[item("kettle")] < 0.05);
    }

    #[test]
    fn a_log_of_one_moment_has_nothing_to_look_back_on() {
        let mut builder = LogBuilder::new(true);
        let time = Some(Timestamp(0));
        builder.add(Named { user: "a", item: "x", weight: 1.0, time, basket: None });
        let log = builder.finish();
        let strength = Strength { half_life: None, scale: WeightScale::Presence };
        let look = LookBack::over(&log, strength, Repeat::Never);
        let settings = RidgeSettings { neighbours: 10, regularisation: 1.0, without_self: false };
        assert!(next_purchase(&log, look, settings, &|_| ()).unwrap().is_none());
    }
}
