//! What reps commit to, and what is asked of them.

use jiff::civil::{Date, date};

use super::life::Deal;
use crate::company::account::Period;
use crate::company::rep::Rep;
use crate::draw::{Draw, mix};
use crate::moment::Moment;
use crate::table::{Cell, Dirt, Table};

/// An empty export of commits.
pub fn table() -> Table {
    let header = &["rep_id", "committed_at", "quarter", "target", "committed", "recorded_at"];
    Table::new("rep_commits", header, Dirt::default())
}

/// Adds, for every month begun within the period, what each rep commits to win until the end of the
/// quarter: 0.6 of the likely value of the deals open then, and for each month left a twentieth of what was
/// won in the 180 days before, times the rep's own optimism, give or take a fifth. The target is what was
/// won in the 180 days before the quarter, halved, and a tenth more.
pub fn export(team: &[Rep], deals: &[Deal], period: Period, table: &mut Table) {
    let mut by_rep: Vec<Vec<&Deal>> = vec![Vec::new(); team.len()];
    for deal in deals {
        by_rep[deal.opening.owner].push(deal);
    }
    for (rep, deals) in team.iter().zip(&by_rep) {
        let mut draw = Draw::new(period.seed, "commits", mix(0, &rep.id, 0));
        for (month, at) in months(period) {
            let (quarter, first, months_left) = quarter(month);
            let begun = Moment::midnight(first).unwrap_or(at);
            let pipeline: f64 = deals
                .iter()
                .filter(|deal| deal.is_open(at))
                .map(|deal| 0.6 * deal.log_odds(at).probability() * deal.opening.crm.amount)
                .sum();
            let expected = pipeline + 0.05 * won(deals, at) * f64::from(months_left);
            let committed = expected * rep.optimism * draw.log_normal(1.0, 0.2);
            let row = [
                Cell::Text(&rep.id),
                Cell::When(at),
                Cell::Text(&quarter),
                Cell::Money((won(deals, begun) * 0.55 / 100.0).round() * 100.0),
                Cell::Money((committed / 100.0).round() * 100.0),
                Cell::When(draw.recorded(at, 0.1, period.now)),
            ];
            table.push(at, &row);
        }
    }
}

/// Value won in the 180 days before `at`.
fn won(deals: &[&Deal], at: Moment) -> f64 {
    let recent = |deal: &&&Deal| deal.end.is_some_and(|e| e.won && e.at <= at && e.at > at.plus_days(-180.0));
    deals.iter().filter(recent).map(|deal| deal.opening.crm.amount).sum()
}

/// The months that begin within the period, each at nine in the morning.
fn months(period: Period) -> Vec<(Date, Moment)> {
    let first = period.start.day().first_of_month();
    let begun = (0..).map_while(|month| first.checked_add(jiff::Span::new().months(month)).ok());
    let at = begun.filter_map(|day| Moment::midnight(day).map(|midnight| (day, midnight.plus_days(0.375))));
    at.skip_while(|(_, at)| *at <= period.start).take_while(|(_, at)| *at < period.now).collect()
}

/// A month's quarter, its first day, and the months left in it.
fn quarter(month: Date) -> (String, Date, i8) {
    let number = (month.month() - 1) / 3;
    let first = date(month.year(), number * 3 + 1, 1);
    (format!("{}-Q{}", month.year(), number + 1), first, 3 - (month.month() - 1) % 3)
}
