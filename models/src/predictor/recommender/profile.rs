//! What a customer's past says, as one strength per item.

use scorehouse_features::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// How past interactions become one strength per item.
///
/// All interactions of one item are taken together: their weights add up, and the newest one decides how far
/// the strength has faded. An item whose weights add up to nothing (a purchase and its return) is left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Strength {
    /// Time after which a strength counts half; none: it never fades.
    pub half_life: Option<Span>,
    /// What the weights count for.
    pub scale: WeightScale,
}

/// What the weight of an interaction counts for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightScale {
    /// Any positive weight counts one: that it happened is what matters.
    Presence,
    /// `log2(1 + weight / unit)`, at most 4: heavy-tailed weights such as amounts, tamed.
    Log {
        /// The weight that counts one; positive.
        unit: f32,
    },
}

/// All that is known of one customer and one item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Past {
    /// The item's number.
    pub item: u32,
    /// The sum of the weights; returns count against purchases.
    pub weight: f32,
    /// The newest interaction.
    pub last: Timestamp,
}

/// One item of a profile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// The item's number.
    pub item: u32,
    /// How strongly it speaks; positive and finite.
    pub strength: f32,
}

/// A profile reads at most this many items, the strongest, then the newest: what it costs to answer stays bounded.
pub const LONGEST_PROFILE: usize = 512;

impl Strength {
    /// The strength of one past at `as_of`; none when it had not happened yet or came to nothing.
    #[must_use]
    pub fn of(&self, past: &Past, as_of: Timestamp) -> Option<f32> {
        if past.last > as_of || !past.weight.is_finite() || past.weight <= 0.0 {
            return None;
        }
        let size = match self.scale {
            WeightScale::Presence => 1.0,
            WeightScale::Log { unit } => (1.0 + past.weight / unit).log2().min(4.0),
        };
        let faded = self.half_life.map_or(1.0, |half_life| {
            let halves = as_of.0.saturating_sub(past.last.0) as f64 / half_life.0.max(1) as f64;
            // A strength never fades to nothing: old customers keep a profile, and only ratios matter.
            (-halves.min(60.0)).exp2() as f32
        });
        Some(size * faded).filter(|s| s.is_finite() && *s > 0.0)
    }

    /// The profile that `pasts` (one per item, ascending) make at `as_of`, ascending by item, scaled so that the
    /// strongest item counts one.
    #[must_use]
    pub fn profile(&self, pasts: &[Past], as_of: Timestamp) -> Vec<Evidence> {
        let mut strong: Vec<(f32, &Past)> =
            pasts.iter().filter_map(|p| self.of(p, as_of).map(|strength| (strength, p))).collect();
        if strong.len() > LONGEST_PROFILE {
            strong.sort_unstable_by(|(a, x), (b, y)| {
                b.total_cmp(a).then_with(|| y.last.cmp(&x.last)).then_with(|| x.item.cmp(&y.item))
            });
            strong.truncate(LONGEST_PROFILE);
            strong.sort_unstable_by_key(|(_, p)| p.item);
        }
        let evidence = |(strength, past): (f32, &Past)| Evidence { item: past.item, strength };
        let mut profile: Vec<Evidence> = strong.into_iter().map(evidence).collect();
        let strongest = profile.iter().map(|e| e.strength).fold(0.0, f32::max);
        for evidence in &mut profile {
            evidence.strength /= strongest;
        }
        profile
    }
}

/// Takes interactions of one customer together, one past per item, ascending by item.
///
/// Interactions later than `as_of` are left out; a weight that is no finite number counts nothing.
#[must_use]
pub fn together(interactions: impl IntoIterator<Item = Past>, as_of: Timestamp) -> Vec<Past> {
    let mut pasts: Vec<Past> = interactions.into_iter().filter(|p| p.last <= as_of).collect();
    pasts.sort_by_key(|p| (p.item, p.last));
    pasts.dedup_by(|next, first| {
        let same = next.item == first.item;
        if same {
            let added = if next.weight.is_finite() { next.weight } else { 0.0 };
            first.weight += added;
            // A return does not make a purchase more recent.
            if added > 0.0 {
                first.last = next.last;
            }
        }
        same
    });
    pasts
}

#[cfg(test)]
mod tests {
    use super::*;
    use scorehouse_features::time::DAY;

    fn past(item: u32, weight: f32, day: i64) -> Past {
        Past { item, weight, last: Timestamp(day * DAY) }
    }

    #[test]
    fn a_purchase_and_its_return_leave_nothing() {
        let pasts = together([past(1, 2.0, 1), past(1, -2.0, 3), past(2, 1.0, 2)], Timestamp(9 * DAY));
        let strength = Strength { half_life: None, scale: WeightScale::Presence };
        let profile = strength.profile(&pasts, Timestamp(9 * DAY));
        assert_eq!(profile, vec![Evidence { item: 2, strength: 1.0 }]);
    }

    #[test]
    fn a_strength_halves_after_its_half_life_and_never_sees_the_future() {
        let strength = Strength { half_life: Some(Span(30 * DAY)), scale: WeightScale::Presence };
        let pasts = together([past(1, 1.0, 0), past(2, 1.0, 30), past(3, 1.0, 31)], Timestamp(30 * DAY));
        let profile = strength.profile(&pasts, Timestamp(30 * DAY));
        assert_eq!(profile.len(), 2);
        assert!((profile[0].strength - 0.5).abs() < 1e-6);
        assert!((profile[1].strength - 1.0).abs() < 1e-6);
    }

    #[test]
    fn weights_that_are_no_numbers_count_nothing() {
        let pasts = together([past(1, f32::NAN, 0), past(2, f32::INFINITY, 0)], Timestamp(DAY));
        let strength = Strength { half_life: None, scale: WeightScale::Log { unit: 1.0 } };
        assert!(strength.profile(&pasts, Timestamp(DAY)).is_empty());
    }
}
