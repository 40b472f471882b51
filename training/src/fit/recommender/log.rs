//! Interactions as they are learnt from: who, what, how much, when, in which basket.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use scorehouse_features::time::Timestamp;
use scorehouse_models::predictor::recommender::{Past, together};

/// One interaction, its user and item numbered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// The user's number.
    pub user: u32,
    /// The item's number.
    pub item: u32,
    /// How much it counts; negative for a return; finite.
    pub weight: f32,
    /// When it happened; 0 in a log without time.
    pub time: Timestamp,
    /// The basket it belongs to, a number of its own per basket; none outside any basket.
    pub basket: Option<u32>,
}

/// All interactions of one training run, in one canonical order, so that the same rows in another order give
/// the same model.
#[derive(Debug, Clone, PartialEq)]
pub struct InteractionLog {
    /// User names by number, ascending.
    pub users: Arc<[String]>,
    /// Item names by number, ascending.
    pub items: Arc<[String]>,
    /// Rows by time, user, item.
    pub rows: Vec<Row>,
    /// True when rows have times.
    pub timed: bool,
    /// Rows that were set aside on the way in.
    pub set_aside: SetAside,
}

/// Rows that were set aside, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetAside {
    /// Without a user.
    pub no_user: u64,
    /// Without an item.
    pub no_item: u64,
    /// Without a time, in a log that has times, or with one that cannot be read.
    pub no_time: u64,
    /// With a weight that is missing or no number.
    pub no_weight: u64,
    /// Later than the present.
    pub future: u64,
}

impl SetAside {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.no_user + self.no_item + self.no_time + self.no_weight + self.future
    }
}

/// Gathers interactions by name.
#[derive(Debug, Default)]
pub struct LogBuilder {
    users: Interner,
    items: Interner,
    baskets: Interner,
    rows: Vec<Row>,
    timed: bool,
    /// Rows set aside so far; whoever reads the rows counts here.
    pub set_aside: SetAside,
}

/// One interaction by name.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The user.
    pub user: &'a str,
    /// The item.
    pub item: &'a str,
    /// How much it counts.
    pub weight: f32,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// The basket it belongs to.
    pub basket: Option<&'a str>,
}

impl LogBuilder {
    /// Begins a log; in a `timed` one, rows without a time are set aside.
    #[must_use]
    pub fn new(timed: bool) -> Self {
        Self { timed, ..Self::default() }
    }

    /// Adds one interaction, or sets it aside and counts why.
    pub fn add(&mut self, row: Named<'_>) {
        let (user, item) = (row.user.trim(), row.item.trim());
        if user.is_empty() {
            self.set_aside.no_user += 1;
        } else if item.is_empty() {
            self.set_aside.no_item += 1;
        } else if !row.weight.is_finite() {
            self.set_aside.no_weight += 1;
        } else if self.timed && row.time.is_none() {
            self.set_aside.no_time += 1;
        } else {
            let user = self.users.number(user);
            let item = self.items.number(item);
            let basket = row.basket.map(str::trim).filter(|b| !b.is_empty()).map(|b| self.baskets.number(b));
            let time = if self.timed { row.time.unwrap_or_default() } else { Timestamp(0) };
            self.rows.push(Row { user, item, weight: row.weight, time, basket });
        }
    }

    /// Brings everything into its canonical order.
    #[must_use]
    pub fn finish(self) -> InteractionLog {
        let (users, user_rank) = self.users.ranked();
        let (items, item_rank) = self.items.ranked();
        let (_, basket_rank) = self.baskets.ranked();
        let mut rows = self.rows;
        for row in &mut rows {
            row.user = user_rank[row.user as usize];
            row.item = item_rank[row.item as usize];
            row.basket = row.basket.map(|b| basket_rank[b as usize]);
        }
        rows.sort_by(|a, b| {
            (a.time, a.user, a.item, a.basket)
                .cmp(&(b.time, b.user, b.item, b.basket))
                .then_with(|| a.weight.total_cmp(&b.weight))
        });
        InteractionLog { users, items, rows, timed: self.timed, set_aside: self.set_aside }
    }
}

impl InteractionLog {
    /// The newest time; 0 in a log without time or rows.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.rows.last().map_or(Timestamp(0), |row| row.time)
    }

    /// The same users and items with only the rows that `keep` says yes to, given their position.
    #[must_use]
    pub fn filtered(&self, mut keep: impl FnMut(usize, &Row) -> bool) -> Self {
        let rows = self.rows.iter().enumerate().filter(|(at, row)| keep(*at, row)).map(|(_, row)| *row);
        Self { rows: rows.collect(), users: self.users.clone(), items: self.items.clone(), ..*self }
    }

    /// The past of every user as of `as_of`, one entry per item.
    #[must_use]
    pub fn pasts(&self, as_of: Timestamp) -> Vec<Vec<Past>> {
        let mut by_user: Vec<Vec<Past>> = vec![Vec::new(); self.users.len()];
        for row in &self.rows {
            if row.time <= as_of {
                let past = Past { item: row.item, weight: row.weight, last: row.time };
                by_user[row.user as usize].push(past);
            }
        }
        by_user.into_iter().map(|pasts| together(pasts, as_of)).collect()
    }
}

/// Numbers names in the order in which they come.
#[derive(Debug, Default)]
struct Interner {
    numbers: FxHashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
}

impl Interner {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        let name: Arc<str> = Arc::from(name);
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    /// The names in ascending order, and for every number its place in that order.
    fn ranked(&self) -> (Arc<[String]>, Vec<u32>) {
        let mut order: Vec<u32> = (0..self.names.len() as u32).collect();
        order.sort_by(|a, b| self.names[*a as usize].cmp(&self.names[*b as usize]));
        let mut rank = vec![0; order.len()];
        for (place, number) in order.iter().enumerate() {
            rank[*number as usize] = place as u32;
        }
        let names = order.iter().map(|number| self.names[*number as usize].to_string()).collect();
        (names, rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scorehouse_features::time::DAY;

    fn named<'a>(user: &'a str, item: &'a str, day: i64) -> Named<'a> {
        Named { user, item, weight: 1.0, time: Some(Timestamp(day * DAY)), basket: None }
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        let rows = [named("b", "y", 3), named("a", "x", 1), named("a", "y", 2), named("b", "x", 3)];
        let log = |order: &[usize]| {
            let mut builder = LogBuilder::new(true);
            order.iter().for_each(|at| builder.add(rows[*at]));
            builder.finish()
        };
        assert_eq!(log(&[0, 1, 2, 3]), log(&[3, 2, 1, 0]));
    }

    #[test]
    fn rows_that_say_nothing_are_set_aside_and_counted() {
        let mut builder = LogBuilder::new(true);
        builder.add(named("", "x", 1));
        builder.add(named("a", "  ", 1));
        builder.add(Named { weight: f32::NAN, ..named("a", "x", 1) });
        builder.add(Named { time: None, ..named("a", "x", 1) });
        builder.add(named("a", "x", 1));
        let log = builder.finish();
        assert_eq!(log.rows.len(), 1);
        let counts = log.set_aside;
        assert_eq!((counts.no_user, counts.no_item, counts.no_weight, counts.no_time), (1, 1, 1, 1));
        assert_eq!(counts.total(), 4);
    }

    #[test]
    fn a_past_leaves_out_what_is_still_to_come() {
        let mut builder = LogBuilder::new(true);
        builder.add(named("a", "x", 1));
        builder.add(named("a", "x", 4));
        builder.add(named("a", "y", 9));
        let pasts = builder.finish().pasts(Timestamp(5 * DAY));
        assert_eq!(pasts[0], vec![Past { item: 0, weight: 2.0, last: Timestamp(4 * DAY) }]);
    }
}
