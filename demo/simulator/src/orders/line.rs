//! Order lines in memory.

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

use crate::moment::Moment;

/// Texts, each kept once, in the order of their first use.
pub type Texts = IndexSet<Box<str>, FxBuildHasher>;

/// One line of an invoice; texts by their position in [`Orders`].
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Invoice number.
    pub invoice: u32,
    /// Stock code as written.
    pub code: u32,
    /// Description as written.
    pub description: u32,
    /// Units; negative for what came back.
    pub quantity: i64,
    /// When, moved to the simulated present.
    pub at: Moment,
    /// Pounds a unit.
    pub price: f64,
    /// Customer number; 0 when there is none.
    pub customer: u32,
    /// Country.
    pub country: u32,
}

/// All lines, in the order of the file.
#[derive(Debug)]
pub struct Orders {
    /// The lines.
    pub lines: Vec<Line>,
    /// Invoice numbers.
    pub invoices: Texts,
    /// Stock codes.
    pub codes: Texts,
    /// Descriptions.
    pub descriptions: Texts,
    /// Countries.
    pub countries: Texts,
    /// Weeks by which the dates were moved.
    pub weeks_shifted: i64,
}

impl Orders {
    /// Text at a position.
    pub fn text(texts: &Texts, position: u32) -> &str {
        texts.get_index(position as usize).map_or("", AsRef::as_ref)
    }

    /// Invoice number of a line.
    pub fn invoice(&self, line: &Line) -> &str {
        Self::text(&self.invoices, line.invoice)
    }

    /// Stock code of a line, as written.
    pub fn code(&self, line: &Line) -> &str {
        Self::text(&self.codes, line.code)
    }
}

/// True for the number of a cancellation.
pub fn is_cancellation(invoice: &str) -> bool {
    invoice.starts_with('C')
}

/// True for the stock code of something that lies on a shelf: five digits first. Everything else is
/// postage, fees, corrections and vouchers, but for the few products that begin with `DCGS`.
pub fn is_product(code: &str) -> bool {
    code.starts_with(|first: char| first.is_ascii_digit()) || code.starts_with("DCGS")
}
