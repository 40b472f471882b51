//! How groups share in the deals that are yet to come.

use crate::forecast::level::TRIED;
use crate::forecast::newcomers::Came;

/// What a group's own count says of its next one, and how far groups are off beyond chance (variance of a factor), where
/// nothing is known of either; and how many tries that weighs.
const OWN: f64 = 1.0;
const UNSURE: f64 = 0.02;
const WEIGHS: f64 = 1.0;

/// How many deals each group would have brought in the days that were counted, were they to say what comes.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Shares {
    /// By group; they add up to the deals that came.
    pub counts: Vec<f64>,
    /// Variance of the factor, 1 on average, by which a single group is off beyond the chance of its count.
    pub spread: f64,
}

/// Counts of groups before a moment and after it.
struct Try {
    before: Vec<f64>,
    after: Vec<f64>,
    /// Groups that were there: they had a deal that came lately or was open.
    there: Vec<bool>,
}

impl Shares {
    /// Of deals in the order in which they came, counted over `window` days, for what comes in as many `days` ahead.
    ///
    /// A group that brought many deals brings fewer next time, one that brought few brings more (people come, leave,
    /// and change what they do; and a count is chance): the regression of what came on what had come, over groups and
    /// past stretches, says how much a group's own count is worth beside the mean of all, and what is left beyond chance
    /// is how far a group may be off. What all groups have in common is left out.
    pub fn of(came: &[Came], groups: usize, (window, days): (f64, f64)) -> Self {
        let now = Try::at(came, groups, 0.0, (window, days));
        let earliest = came.first().map_or(0.0, |deal| deal.at);
        let tries: Vec<Try> = (1..=TRIED)
            .map(|back| -days * back as f64)
            .take_while(|moment| days > 0.0 && moment - window >= earliest)
            .map(|moment| Try::at(came, groups, moment, (window, days)))
            .filter(|one| one.scale() > 0.0)
            .collect();
        let own = own(&tries);
        // A single group is off with all deals, which is told elsewhere.
        let spread = if groups > 1 { spread(&tries, own) } else { 0.0 };
        Self { counts: now.told(own), spread }
    }
}

impl Try {
    fn at(came: &[Came], groups: usize, now: f64, (window, days): (f64, f64)) -> Self {
        let (mut before, mut after, mut there) = (vec![0.0; groups], vec![0.0; groups], vec![false; groups]);
        for deal in came.iter().filter(|deal| deal.at <= now + days) {
            if deal.at > now {
                after[deal.group] += 1.0;
                continue;
            }
            let counted = deal.at > now - window;
            before[deal.group] += f64::from(u8::from(counted));
            there[deal.group] |= counted || deal.ended > now;
        }
        Self { before, after, there }
    }

    /// Deals that came for each that had come.
    fn scale(&self) -> f64 {
        self.after.iter().sum::<f64>() / self.before.iter().sum::<f64>().max(1.0)
    }

    /// The mean count of the groups that were there.
    fn mean(&self) -> f64 {
        let there = self.there.iter().filter(|there| **there).count();
        self.before.iter().sum::<f64>() / there.max(1) as f64
    }

    /// Counts drawn towards their mean: `own` of a group's distance from it stays.
    fn told(&self, own: f64) -> Vec<f64> {
        let mean = self.mean();
        let one = |(count, there): (&f64, &bool)| if *there { mean + own * (count - mean) } else { 0.0 };
        self.before.iter().zip(&self.there).map(one).collect()
    }
}

/// The regression of counts after on counts before, 0 to 1, both as distances from the mean.
fn own(tries: &[Try]) -> f64 {
    let (mut together, mut alone) = (0.0, 0.0);
    for one in tries {
        let (mean, scale) = (one.mean(), one.scale());
        let there = one.before.iter().zip(&one.after).zip(&one.there).filter(|(_, there)| **there);
        for ((before, after), _) in there {
            together += (before - mean) * (after / scale - mean);
            alone += (before - mean).powi(2);
        }
    }
    let stated = WEIGHS * alone / tries.len().max(1) as f64;
    if alone > 0.0 { ((together + stated * OWN) / (alone + stated)).clamp(0.0, 1.0) } else { OWN }
}

/// What groups were off beyond the chance of what came and of the count that told it, squared and relative.
fn spread(tries: &[Try], own: f64) -> f64 {
    let (mut beyond, mut scale) = (0.0, 0.0);
    for one in tries {
        let factor = one.scale();
        for (count, after) in one.told(own).iter().zip(&one.after).filter(|(count, _)| **count > 0.0) {
            let told = factor * count;
            beyond += (after - told).powi(2) - told - told * told / count;
            scale += told * told;
        }
    }
    let stated = WEIGHS * scale / tries.len().max(1) as f64;
    if scale > 0.0 { ((beyond + stated * UNSURE) / (scale + stated)).max(0.0) } else { UNSURE }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Deals of four groups over 720 days, a day's deals of a group by its rate at that time.
    fn came(rate: impl Fn(usize, f64) -> f64) -> Vec<Came> {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let mut came = Vec::new();
        for day in -720..0 {
            for group in 0..4 {
                let at = f64::from(day) + 0.1 + 0.1 * group as f64;
                for _ in 0..10 {
                    if rng.random::<f64>() < rate(group, at) / 10.0 {
                        came.push(Came { at, ended: at + 20.0, won: false, amount: 0.0, group });
                    }
                }
            }
        }
        came
    }

    #[test]
    fn steady_groups_keep_what_they_had() {
        let shares = Shares::of(&came(|group, _| 0.2 + 0.5 * group as f64), 4, (120.0, 30.0));
        let counts = &shares.counts;
        assert!(counts[3] > 5.0 * counts[0] && shares.spread < 0.02, "{shares:?}");
        let all = came(|group, _| 0.2 + 0.5 * group as f64).iter().filter(|deal| deal.at > -120.0).count();
        assert!(
            (counts.iter().sum::<f64>() - all as f64).abs() < 1e-6,
            "nothing is lost: {counts:?} of {all}"
        );
    }

    #[test]
    fn groups_whose_counts_say_little_are_drawn_together_and_may_be_far_off() {
        // Every sixty days another group brings nearly all.
        let moody = |group: usize, at: f64| {
            if (at / 60.0).floor().rem_euclid(4.0) == group as f64 { 2.0 } else { 0.2 }
        };
        let shares = Shares::of(&came(moody), 4, (60.0, 60.0));
        let (least, most) =
            shares.counts.iter().fold((f64::MAX, 0.0_f64), |(a, b), one| (a.min(*one), b.max(*one)));
        assert!(most / least < 2.0 && shares.spread > 0.2, "{shares:?}");
    }

    #[test]
    fn who_left_brings_nothing_and_who_is_new_brings_something() {
        let rate = |group: usize, at: f64| match group {
            0 if at > -300.0 => 0.0,
            1 if at < -5.0 => 0.0,
            2 | 3 => 0.5 + 0.3 * (at / 50.0 + group as f64).sin(),
            _ => 0.6,
        };
        let shares = Shares::of(&came(rate), 4, (60.0, 30.0));
        assert_eq!(shares.counts[0], 0.0, "{shares:?}");
        assert!(shares.counts[1] > 0.0 && shares.counts[1] < shares.counts[2], "{shares:?}");
    }

    #[test]
    fn a_single_group_and_an_empty_past_say_nothing() {
        let one: Vec<Came> = came(|_, _| 1.0).iter().map(|deal| Came { group: 0, ..*deal }).collect();
        assert_eq!(Shares::of(&one, 1, (60.0, 30.0)).spread, 0.0);
        assert_eq!(Shares::of(&[], 2, (60.0, 30.0)), Shares { counts: vec![0.0; 2], spread: UNSURE });
    }
}
