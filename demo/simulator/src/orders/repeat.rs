//! Fewer customers than there are, or more.

use super::line::{Line, Orders};
use crate::draw::{mix, share};
use crate::moment::{Moment, WEEK};

/// Added to a customer's number in the first copy, twice in the second, and so on.
const CUSTOMER_STEP: u32 = 100_000;

/// The customers (and the invoices without a customer) that one copy takes.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    seed: u64,
    share: f64,
}

impl Sample {
    /// What copy `copy` (0: the real orders) takes at this scale: everything, or the fraction that is left.
    pub fn of(seed: u64, scale: f64, copy: u32) -> Self {
        Self { seed, share: (scale - f64::from(copy)).clamp(0.0, 1.0) }
    }

    /// Copies that a scale needs, the real orders included.
    pub fn copies(scale: f64) -> u32 {
        scale.ceil() as u32
    }

    /// True when this customer, or this invoice without one, is taken. A cancellation shares the luck of
    /// its number.
    pub fn takes(&self, customer: u32, invoice: &str) -> bool {
        if self.share >= 1.0 {
            return true;
        }
        let of = if customer == 0 { invoice_number(invoice) } else { u64::from(customer) };
        share(self.seed, if customer == 0 { "invoices taken" } else { "customers taken" }, of) < self.share
    }
}

/// The digits of an invoice's number.
pub fn invoice_number(invoice: &str) -> u64 {
    invoice.bytes().filter(u8::is_ascii_digit).fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// The lines of copy `copy`. Copy 0 is the sampled real orders as they are. In a later copy a customer's
/// number grows by 100,000 a copy; all their orders move by the same −3 to 3 weeks (those past the present
/// fall away); their quantities of a product are multiplied by the same factor; and one line in twelve is
/// dropped.
pub fn repeat(orders: &Orders, seed: u64, sample: Sample, copy: u32, now: Moment) -> Vec<Line> {
    let taken = orders.lines.iter().filter(|line| sample.takes(line.customer, orders.invoice(line)));
    if copy == 0 {
        return taken.copied().collect();
    }
    let jitter = Jitter { seed, copy };
    taken
        .enumerate()
        .filter_map(|(row, line)| jitter.line(row, line, orders.invoice(line)))
        .filter(|line| line.at < now)
        .collect()
}

struct Jitter {
    seed: u64,
    copy: u32,
}

impl Jitter {
    fn line(&self, row: usize, line: &Line, invoice: &str) -> Option<Line> {
        let copy = u64::from(self.copy) << 40;
        if share(self.seed, "line dropped", copy | row as u64) < 1.0 / 12.0 {
            return None;
        }
        let who = if line.customer == 0 { invoice_number(invoice) } else { u64::from(line.customer) };
        let weeks = (mix(self.seed, "weeks moved", copy | who) % 7) as i64 - 3;
        let factor = share(self.seed, "quantity", copy | mix(who, "of", u64::from(line.code)) >> 24);
        let quantity = (line.quantity as f64 * (0.6 + 0.8 * factor)).round() as i64;
        Some(Line {
            quantity: if quantity == 0 { line.quantity.signum() } else { quantity },
            at: Moment(line.at.0 + weeks * WEEK),
            customer: if line.customer == 0 { 0 } else { line.customer + CUSTOMER_STEP * self.copy },
            ..*line
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::DAY;

    #[test]
    fn scales_take_whole_copies_and_the_fraction_left() {
        assert_eq!(Sample::copies(0.1), 1);
        assert_eq!(Sample::copies(1.0), 1);
        assert_eq!(Sample::copies(2.5), 3);
        let last = Sample::of(1, 2.5, 2);
        let taken = (1..=10_000).filter(|&customer| last.takes(customer, "")).count();
        assert!((4_800..5_200).contains(&taken), "{taken}");
        assert!((1..=1000).all(|customer| Sample::of(1, 2.5, 1).takes(customer, "")));
    }

    #[test]
    fn a_copy_keeps_signs_and_moves_a_customer_as_a_whole() {
        let line = |at, quantity| Line {
            invoice: 0,
            code: 1,
            description: 0,
            quantity,
            at: Moment(at),
            price: 1.0,
            customer: 13_085,
            country: 0,
        };
        let jitter = Jitter { seed: 1, copy: 2 };
        let moved: Vec<Line> = (0..200)
            .filter_map(|row| {
                jitter.line(row as usize, &line(row * DAY, if row % 2 == 0 { 1 } else { -12 }), "1")
            })
            .collect();
        assert!(moved.len() > 150);
        for line in &moved {
            assert_eq!(line.customer, 213_085);
            assert!(line.at.0.rem_euclid(DAY) == 0 && line.quantity != 0);
        }
        assert!(moved.windows(2).all(|pair| pair[0].at < pair[1].at));
        assert!(moved.iter().any(|line| line.quantity > 0) && moved.iter().any(|line| line.quantity < 0));
    }
}
