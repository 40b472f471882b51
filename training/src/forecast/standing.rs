//! How forecasts of open deals came out of late, and what follows for the deals that are open now.

use scorehouse_features::time::Timestamp;
use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use crate::error::TrainingError;
use crate::forecast::ForecastRequest;
use crate::forecast::book::{Met, OpenDeal};
use crate::forecast::level::{ENDED, Level, TRIED, Try};
use crate::forecast::sheet::Sheet;

/// The odds of a deal are moved by this factor at most.
const MOST_ODDS: f64 = 30.0;
/// A correlation above this is taken for a mistake of the scores.
const MOST: f64 = 0.5;

/// A deal at one of the past moments.
struct Row<'a> {
    deal: &'a Met,
    /// Number of the try.
    back: usize,
    at: Timestamp,
    /// True when it was won within the period that the try looks at.
    won: bool,
}

/// How many of the deals that were open at moments before this one would have been expected to be won in a period as far
/// ahead and as long as the one asked for, and how many were; the latest moment first.
///
/// Deals are counted, not what they bring: a few large ones would drown what all of them tell.
pub(super) fn tries(
    request: &ForecastRequest<'_>,
    sheet: &Sheet,
    deals: &[Met],
) -> Result<Vec<Try>, TrainingError> {
    let rows = rows(request, deals);
    let columns = sheet.read(&request.training(), rows.iter().map(|row| (&row.deal.key, row.at)))?;
    let judged = sheet.judge(request, &columns, rows.iter().map(|row| row.at))?;
    let nothing = Try { expected: 0.0, variance: 0.0, came: 0.0 };
    let mut tries = vec![nothing; rows.last().map_or(0, |row| row.back + 1)];
    for (row, judged) in rows.iter().zip(judged) {
        let within = judged.within();
        let one = &mut tries[row.back];
        one.expected += within;
        one.variance += within * (1.0 - within);
        one.came += f64::from(u8::from(row.won));
    }
    tries.retain(|one| one.expected > 0.0);
    Ok(tries)
}

fn rows<'d>(request: &ForecastRequest<'_>, deals: &'d [Met]) -> Vec<Row<'d>> {
    let ahead = request.period.to.0.saturating_sub(request.as_of.0);
    let mut rows = Vec::new();
    for back in (1..=TRIED as i64).take_while(|_| ahead > 0) {
        let shifted = |moment: Timestamp| Timestamp(moment.0.saturating_sub(ahead.saturating_mul(back)));
        let at = shifted(request.as_of);
        let ended = |deal: &Met| deal.end.is_some_and(|(_, known, _)| known <= at);
        if deals.iter().filter(|deal| ended(deal)).count() < ENDED {
            break;
        }
        let within = shifted(request.period.from)..shifted(request.period.to);
        let open = deals.iter().filter(|deal| deal.appeared <= at && !ended(deal));
        rows.extend(open.map(|deal| {
            let won = deal.end.is_some_and(|(end, _, won)| won && within.contains(&end));
            Row { deal, back: back as usize - 1, at, won }
        }));
    }
    rows
}

/// What the level of late says of the deals that are open now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Standing {
    /// Factor on the odds of every deal.
    pub odds: f64,
    /// The correlation of what decides them, 0 to 0.5.
    pub correlation: f64,
}

impl Standing {
    /// So that these deals bring as much more or less than expected as deals did of late, and are as unsure as those
    /// were beyond chance.
    ///
    /// In the one-factor normal copula (Vasicek 1987) of a small correlation ρ, what is expected of deals of probability p
    /// moves by √ρ φ(Φ⁻¹(p)) for each standard deviation of the factor that they share.
    pub fn of(open: &[OpenDeal], level: Level) -> Self {
        let odds = odds(open, level.factor);
        let normal = Normal::standard();
        let (mut expected, mut moved) = (0.0, 0.0);
        for deal in open {
            let p = tilted(deal.judged.probability, odds);
            let weight = deal.amount * deal.judged.within() / deal.judged.probability.max(f64::MIN_POSITIVE);
            expected += weight * p;
            moved += weight * normal.pdf(normal.inverse_cdf(p));
        }
        let correlation = if moved > 0.0 { level.spread * (expected / moved).powi(2) } else { 0.0 };
        Self { odds, correlation: correlation.min(MOST) }
    }
}

/// A probability whose odds are so many times as high; never 0 nor 1.
pub(super) fn tilted(probability: f64, odds: f64) -> f64 {
    let p = probability.clamp(1e-9, 1.0 - 1e-9);
    p * odds / (1.0 - p + p * odds)
}

/// The factor on all odds with which what open deals are expected to bring is so many times as much.
fn odds(open: &[OpenDeal], factor: f64) -> f64 {
    let brings = |odds: f64| -> f64 {
        let one = |deal: &OpenDeal| {
            let p = deal.judged.probability.max(f64::MIN_POSITIVE);
            deal.amount * deal.judged.within() / p * tilted(p, odds)
        };
        open.iter().map(one).sum()
    };
    let wanted = factor * brings(1.0);
    let (mut low, mut high) = (-MOST_ODDS.ln(), MOST_ODDS.ln());
    // What is expected rises with the odds, so halving finds it; this often, to the last digits.
    for _ in 0..50 {
        let middle = (low + high) / 2.0;
        if brings(middle.exp()) < wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    ((low + high) / 2.0).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::sheet::Judged;

    fn deals() -> Vec<OpenDeal> {
        let deal = |at: u32| OpenDeal {
            judged: Judged { probability: f64::from(at % 10) / 10.0, before: [0.1, 0.6] },
            amount: f64::from(at),
            group: 0,
        };
        (0..60).map(deal).collect()
    }

    fn brings(deals: &[OpenDeal], odds: f64) -> f64 {
        deals.iter().map(|deal| deal.amount * tilted(deal.judged.probability, odds) * 0.5).sum()
    }

    #[test]
    fn open_deals_bring_as_much_more_or_less_as_those_of_late() {
        let deals = deals();
        for factor in [0.5, 0.9, 1.0, 1.3] {
            let standing = Standing::of(&deals, Level { factor, spread: 0.02, loss: 0.0 });
            let ratio = brings(&deals, standing.odds) / brings(&deals, 1.0);
            assert!((ratio - factor).abs() < 1e-6, "{ratio} for {factor}");
        }
        let least = Standing::of(&deals, Level { factor: 0.0, spread: 0.02, loss: 0.0 });
        assert!(
            (least.odds * MOST_ODDS - 1.0).abs() < 1e-6,
            "not even the worst level makes any deal impossible"
        );
        let most = Standing::of(&deals, Level { factor: 9.0, spread: 0.02, loss: 0.0 });
        assert!(
            most.odds < MOST_ODDS + 1e-6
                && deals.iter().all(|deal| tilted(deal.judged.probability, most.odds) < 1.0)
        );
    }

    #[test]
    fn the_correlation_spreads_what_comes_as_far_as_it_was_off() {
        let deals = deals();
        let spread = 0.02;
        let standing = Standing::of(&deals, Level { factor: 0.9, spread, loss: 0.0 });
        let normal = Normal::standard();
        let (root, rest) = (standing.correlation.sqrt(), (1.0 - standing.correlation).sqrt());
        // What is expected of all deals for a shared factor from −4 to 4, weighted by how likely that is.
        let (mut weights, mut first, mut second) = (0.0, 0.0, 0.0);
        for step in -400..=400 {
            let shared = f64::from(step) / 100.0;
            let one = |deal: &OpenDeal| {
                let limit = normal.inverse_cdf(tilted(deal.judged.probability, standing.odds));
                deal.amount * normal.cdf((limit - root * shared) / rest)
            };
            let (weight, sum) = (normal.pdf(shared), deals.iter().map(one).sum::<f64>());
            weights += weight;
            first += weight * sum;
            second += weight * sum * sum;
        }
        let (mean, square) = (first / weights, second / weights);
        let found = square / (mean * mean) - 1.0;
        assert!((found / spread - 1.0).abs() < 0.1, "{found}");
        assert_eq!(Standing::of(&[], Level { factor: 0.9, spread, loss: 0.0 }).correlation, 0.0);
    }
}
