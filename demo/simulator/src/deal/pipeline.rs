//! An account's deals, one after the other.

use super::life::Deal;
use super::opening::Opening;
use crate::company::account::{Account, Period};
use crate::company::catalogue::Catalogue;
use crate::company::rep::Rep;
use crate::company::stock::StockLevels;
use crate::draw::Draw;
use crate::moment::Moment;

/// What deals are about, and who makes them.
#[derive(Debug, Clone, Copy)]
pub struct Shelf<'a> {
    /// Products.
    pub catalogue: &'a Catalogue,
    /// Their stock.
    pub stock: &'a [StockLevels],
    /// Reps.
    pub team: &'a [Rep],
}

impl Shelf<'_> {
    /// Position of a product that is in the catalogue at `at`.
    pub fn talked_about(&self, draw: &mut Draw, at: Moment) -> usize {
        let last = self.catalogue.products.len() as i64 - 1;
        let mut product = draw.whole(0, last) as usize;
        for _ in 0..50 {
            let (first, last_sale) = self.catalogue.products[product].sold;
            if first <= at && last_sale.plus_days(90.0) > at {
                break;
            }
            product = draw.whole(0, last) as usize;
        }
        product
    }
}

/// The deals of one account: the first some time after its first order (after the CRM met it, for a
/// prospect), the next some time after the last one ended, so that an account has one open deal at most.
/// They come at a constant rate, whatever happens later.
pub fn deals_of(position: usize, account: &Account, shelf: &Shelf<'_>, period: Period) -> Vec<Deal> {
    let mut draw = Draw::new(period.seed, "deals", account.key);
    let mut deals = Vec::new();
    let mut past = (0, 0);
    let wait = 365.0 / deals_a_year(account, &mut draw);
    let mut at = begin(account).plus_days(draw.exponential(wait));
    while at < period.now {
        let opened = at.in_office_hours().max(begin(account));
        let opening = Opening::draw(&mut draw, account, shelf, opened, past);
        let deal = Deal::draw(&mut draw, position, opening, account.customer.is_some(), period.now);
        let end = deal.end;
        deals.push(deal);
        let Some(end) = end else { break };
        if end.won {
            past.0 += 1;
        } else {
            past.1 += 1;
        }
        at = end.at.plus_days(draw.exponential(wait));
    }
    deals
}

fn begin(account: &Account) -> Moment {
    let first = account.customer.as_ref().and_then(|customer| customer.history.first_order());
    first.map_or(account.created, |invoice| invoice.at)
}

/// More for who began with more; told from the first order alone, which is known before the first deal.
fn deals_a_year(account: &Account, draw: &mut Draw) -> f64 {
    let first = account.customer.as_ref().and_then(|customer| customer.history.first_order());
    let size = first.map_or(1.0, |invoice| (invoice.value / 300.0).max(0.05).powf(0.35).clamp(0.5, 2.5));
    0.70 * size * draw.log_normal(1.0, 0.5)
}
