//! The truth: how likely each deal was to be won, at moments of its life. Not an export: no company has
//! this file.

use super::life::Deal;
use crate::moment::Moment;
use crate::report::DealSummary;
use crate::table::{Cell, Dirt, Table};

/// Ages, in days, at which the truth is told while a deal is open.
const AGES: [f64; 7] = [0.0, 1.0, 7.0, 14.0, 30.0, 60.0, 90.0];

/// An empty table of the truth.
pub fn table() -> Table {
    let header = &["opportunity_id", "as_of", "probability", "crm_log_odds", "shared_log_odds"];
    Table::new("opportunities", header, Dirt::default())
}

/// Adds what is true of a deal: at each of [`AGES`] at which it was open, and at the present if it still is.
pub fn export(deal: &Deal, now: Moment, table: &mut Table) {
    for at in moments(deal, now) {
        let truth = deal.log_odds(at);
        let row = [
            Cell::Text(&deal.id),
            Cell::When(at),
            Cell::Fine(truth.probability()),
            Cell::Fine(truth.crm),
            Cell::Fine(truth.shared),
        ];
        table.push(at, &row);
    }
}

fn moments(deal: &Deal, now: Moment) -> impl Iterator<Item = Moment> + '_ {
    let ages = AGES.iter().map(|age| deal.opening.at.plus_days(*age));
    let present = deal.end.is_none().then_some(now);
    ages.filter(move |at| *at < now && deal.is_open(*at)).chain(present)
}

/// Counts deals, and weighs how well anyone could have told their ends.
#[derive(Debug, Default)]
pub struct Tally {
    opened: u64,
    won: u64,
    lost: u64,
    rows: Vec<(f64, f64, bool)>,
}

impl Tally {
    /// Counts a deal.
    pub fn add(&mut self, deal: &Deal, now: Moment) {
        self.opened += 1;
        let Some(end) = deal.end else { return };
        if end.won {
            self.won += 1;
        } else {
            self.lost += 1;
        }
        for at in moments(deal, now) {
            let truth = deal.log_odds(at);
            self.rows.push((truth.crm + truth.shared, truth.crm, end.won));
        }
    }

    /// What was counted.
    pub fn summary(&self) -> DealSummary {
        let by = |score: fn(&(f64, f64, bool)) -> f64| {
            auc(self.rows.iter().map(|row| (score(row), row.2)).collect())
        };
        DealSummary {
            opened: self.opened,
            won: self.won,
            lost: self.lost,
            open: self.opened - self.won - self.lost,
            oracle_auc: by(|row| row.0),
            crm_only_auc: by(|row| row.1),
        }
    }
}

/// The chance that a won row scores higher than a lost one, ties counting half (Mann and Whitney, 1947).
/// 0.5 when there are not both.
fn auc(mut rows: Vec<(f64, bool)>) -> f64 {
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut pairs, mut won, mut from) = (0.0, 0.0, 0.0, 0);
    while from < rows.len() {
        let to = from + rows[from..].partition_point(|row| row.0 <= rows[from].0);
        let wins = rows[from..to].iter().filter(|row| row.1).count() as f64;
        let losses = (to - from) as f64 - wins;
        pairs += wins * (below + losses / 2.0);
        (below, won, from) = (below + losses, won + wins, to);
    }
    if below * won > 0.0 { pairs / (below * won) } else { 0.5 }
}

#[cfg(test)]
mod tests {
    use super::auc;

    #[test]
    fn the_area_under_the_curve_counts_pairs_in_order() {
        assert_eq!(auc(vec![(0.1, false), (0.4, false), (0.35, true), (0.8, true)]), 0.75);
        assert_eq!(auc(vec![(0.5, false), (0.5, true)]), 0.5);
        assert_eq!(auc(vec![(0.5, true)]), 0.5);
    }
}
