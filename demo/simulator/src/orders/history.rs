//! What a customer has bought, as of any moment.

use std::collections::BTreeMap;

use super::line::{Line, Orders, is_cancellation, is_product};
use crate::moment::Moment;

/// One invoice of a customer.
#[derive(Debug, Clone, Copy)]
pub struct Invoice {
    /// When.
    pub at: Moment,
    /// Pounds for products: negative for a cancellation.
    pub value: f64,
    /// Largest number of units on one line.
    pub largest_line: i64,
    /// True for a cancellation.
    pub cancelled: bool,
}

/// The invoices of one customer, in the order of time.
#[derive(Debug, Clone)]
pub struct PurchaseHistory {
    /// The customer's number.
    pub customer: u32,
    /// Position of the country in the orders' countries.
    pub country: u32,
    /// The invoices that hold products.
    pub invoices: Vec<Invoice>,
}

impl PurchaseHistory {
    /// Sums the lines up, by customer number. Lines without a customer, and customers who never bought a
    /// product, are left out.
    pub fn collect(orders: &Orders, lines: &[Line]) -> Vec<Self> {
        let mut by_customer: BTreeMap<u32, Vec<&Line>> = BTreeMap::new();
        for line in lines.iter().filter(|line| line.customer != 0 && is_product(orders.code(line))) {
            by_customer.entry(line.customer).or_default().push(line);
        }
        let histories = by_customer.into_iter().map(|(customer, lines)| Self::of(orders, customer, lines));
        histories.filter(|history| history.first_order().is_some()).collect()
    }

    fn of(orders: &Orders, customer: u32, mut lines: Vec<&Line>) -> Self {
        lines.sort_by_key(|line| (line.at, line.invoice));
        let mut invoices: Vec<Invoice> = Vec::new();
        let mut current = None;
        for line in &lines {
            if current != Some(line.invoice) {
                current = Some(line.invoice);
                let cancelled = is_cancellation(orders.invoice(line));
                invoices.push(Invoice { at: line.at, value: 0.0, largest_line: 0, cancelled });
            }
            if let Some(invoice) = invoices.last_mut() {
                invoice.value += line.quantity as f64 * line.price;
                invoice.largest_line = invoice.largest_line.max(line.quantity);
            }
        }
        Self { customer, country: lines.first().map_or(0, |line| line.country), invoices }
    }

    /// When the first order came that was not a cancellation.
    pub fn first_order(&self) -> Option<&Invoice> {
        self.invoices.iter().find(|invoice| !invoice.cancelled)
    }

    /// Invoices known at `at`.
    pub fn until(&self, at: Moment) -> &[Invoice] {
        &self.invoices[..self.invoices.partition_point(|invoice| invoice.at <= at)]
    }

    /// Orders (not cancellations) in the `days` before `at`.
    pub fn orders_within(&self, at: Moment, days: f64) -> impl Iterator<Item = &Invoice> {
        let from = at.plus_days(-days);
        self.until(at).iter().rev().take_while(move |invoice| invoice.at > from).filter(|i| !i.cancelled)
    }

    /// Pounds ordered in the `days` before `at`.
    pub fn revenue_within(&self, at: Moment, days: f64) -> f64 {
        self.orders_within(at, days).map(|invoice| invoice.value).sum()
    }

    /// Days since the last order before `at`.
    pub fn days_since_order(&self, at: Moment) -> Option<f64> {
        self.until(at).iter().rev().find(|i| !i.cancelled).map(|invoice| at.days_since(invoice.at))
    }

    /// Value of cancellations over value of orders in the `days` before `at`, 0 to 1.
    pub fn returned_share(&self, at: Moment, days: f64) -> f64 {
        let from = at.plus_days(-days);
        let recent = self.until(at).iter().filter(|invoice| invoice.at > from);
        let (mut ordered, mut returned) = (0.0, 0.0);
        for invoice in recent {
            if invoice.cancelled { returned -= invoice.value } else { ordered += invoice.value }
        }
        if ordered > 0.0 { (returned / ordered).clamp(0.0, 1.0) } else { 0.0 }
    }
}
