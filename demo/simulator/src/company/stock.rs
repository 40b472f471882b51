//! Stock: counted every second Monday, drawn down by the real sales, filled up by orders to suppliers.

use super::catalogue::{Catalogue, Product};
use crate::draw::Draw;
use crate::moment::{DAY, Moment, WEEK};
use crate::table::{Cell, Dirt, Table};

/// Counted stock of one product.
#[derive(Debug, Clone)]
pub struct StockLevels {
    counts: Vec<Count>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    at: Moment,
    units: i64,
    on_order: i64,
}

impl StockLevels {
    /// Units at the last count before `at`.
    pub fn units(&self, at: Moment) -> Option<i64> {
        let known = self.counts.partition_point(|count| count.at <= at);
        known.checked_sub(1).map(|last| self.counts[last].units)
    }

    /// Follows a product from its first sale to the present, or to 90 days after its last sale. When less
    /// than three weeks' usual sale is left, eight weeks' sale is ordered; it comes two to nine weeks
    /// later, so that the shelf is sometimes empty.
    pub fn simulate(product: &Product, number: u64, seed: u64, now: Moment) -> Self {
        let mut draw = Draw::new(seed, "stock", number);
        let until = product.sold.1.plus_days(90.0).min(now);
        let weeks = (product.sold.1.days_since(product.sold.0) / 7.0).max(4.0);
        let usual = product.sales.iter().map(|(_, units)| *units).sum::<i64>() as f64 / weeks;
        let (mut units, mut coming) = ((usual * 10.0).ceil() as i64 + 2, None::<(Moment, i64)>);
        let (mut counts, mut sale) = (Vec::new(), 0);
        // The first Monday after the first sale: 1970-01-05 was one.
        let mut at = Moment((product.sold.0.0 - 4 * DAY).div_euclid(WEEK) * WEEK + 4 * DAY + WEEK + 6 * 3600);
        while at < until {
            while sale < product.sales.len() && product.sales[sale].0 <= at {
                units = (units - product.sales[sale].1).max(0);
                sale += 1;
            }
            if let Some((_, ordered)) = coming.filter(|(due, _)| *due <= at) {
                units += ordered;
                coming = None;
            }
            if coming.is_none() && (units as f64) < usual * 3.0 {
                let due = at.plus_days(14.0 + draw.exponential(14.0).min(49.0));
                coming = Some((due, (usual * 8.0).ceil() as i64 + 2));
            }
            let count = Count { at, units, on_order: coming.map_or(0, |(_, ordered)| ordered) };
            let same = counts
                .last()
                .is_some_and(|last: &Count| (last.units, last.on_order) == (count.units, count.on_order));
            if !same {
                counts.push(count);
            }
            at.0 += 2 * WEEK;
        }
        Self { counts }
    }
}

/// Stock of every product of the catalogue, in its order.
pub fn simulate(catalogue: &Catalogue, seed: u64, now: Moment) -> Vec<StockLevels> {
    let products = catalogue.products.iter().enumerate();
    products.map(|(number, product)| StockLevels::simulate(product, number as u64, seed, now)).collect()
}

/// The stock export: a row when a count differs from the last.
pub fn export(catalogue: &Catalogue, levels: &[StockLevels], seed: u64, now: Moment) -> Table {
    let header = &["product_id", "counted_at", "quantity", "on_order", "recorded_at"];
    let mut table = Table::new("stock_levels", header, Dirt { repeated: 0.002, malformed: 4 });
    for (number, (product, levels)) in catalogue.products.iter().zip(levels).enumerate() {
        let mut draw = Draw::new(seed, "stock recorded", number as u64);
        for count in &levels.counts {
            table.push(
                count.at,
                &[
                    Cell::Text(&product.code),
                    Cell::When(count.at),
                    Cell::Int(count.units),
                    Cell::Int(count.on_order),
                    Cell::When(draw.recorded(count.at, 0.01, now)),
                ],
            );
        }
    }
    table
}
