//! Online Retail II from its file.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use jiff::civil::Date;

use super::line::{Line, Orders, Texts};
use crate::error::SimulationError;
use crate::moment::{Moment, WEEK};

/// The columns of Online Retail II, in order.
pub const HEADER: [&str; 8] = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
];

/// Reads a file to its end, decompressed by what its name says.
///
/// # Errors
/// [`SimulationError::File`] when it cannot be read or decompressed.
pub fn load(path: &Path) -> Result<Vec<u8>, SimulationError> {
    let file = BufReader::new(File::open(path).map_err(SimulationError::file(path))?);
    let mut bytes = Vec::new();
    let read = match path.extension().and_then(|e| e.to_str()) {
        Some("zst") => zstd::Decoder::with_buffer(file).and_then(|mut from| from.read_to_end(&mut bytes)),
        Some("gz") => flate2::bufread::MultiGzDecoder::new(file).read_to_end(&mut bytes),
        _ => { file }.read_to_end(&mut bytes),
    };
    read.map_err(SimulationError::file(path))?;
    Ok(bytes)
}

impl Orders {
    /// Reads every line, and moves all dates by the whole number of weeks that lets the last order fall in
    /// the seven days before `anchor`.
    ///
    /// # Errors
    /// [`SimulationError::Orders`] with the first line that is not one of Online Retail II.
    pub fn parse(bytes: &[u8], path: &Path, anchor: Date) -> Result<Self, SimulationError> {
        let refuse =
            |line: u64, reason: String| SimulationError::Orders { path: path.to_path_buf(), line, reason };
        let mut reader = csv::Reader::from_reader(bytes);
        let header = reader.byte_headers().map_err(|e| refuse(1, e.to_string()))?;
        if header != &csv::ByteRecord::from(HEADER.to_vec()) {
            return Err(refuse(1, format!("expected the columns {}", HEADER.join(", "))));
        }
        let mut orders = Self::empty();
        let mut record = csv::StringRecord::new();
        let mut dates = Dates::default();
        while reader.read_record(&mut record).map_err(|e| refuse(reader_line(&e), e.to_string()))? {
            let line = orders.line(&record, &mut dates);
            let position = record.position().map_or(0, csv::Position::line);
            orders.lines.push(line.map_err(|reason| refuse(position, reason))?);
        }
        let last = orders.lines.iter().map(|line| line.at).max();
        let last = last.ok_or_else(|| refuse(1, "there is no order".to_owned()))?;
        let present =
            Moment::midnight(anchor).ok_or_else(|| refuse(1, format!("{anchor} cannot be told in UTC")))?;
        orders.weeks_shifted = (present.0 - 1 - last.0).div_euclid(WEEK);
        for line in &mut orders.lines {
            line.at.0 += orders.weeks_shifted * WEEK;
        }
        Ok(orders)
    }

    fn empty() -> Self {
        Self {
            lines: Vec::new(),
            invoices: Texts::default(),
            codes: Texts::default(),
            descriptions: Texts::default(),
            countries: Texts::default(),
            weeks_shifted: 0,
        }
    }

    fn line(&mut self, record: &csv::StringRecord, dates: &mut Dates) -> Result<Line, String> {
        let field = |column: usize| record.get(column).unwrap_or_default();
        let refused = |column: usize| format!("{} {:?} cannot be read", HEADER[column], field(column));
        Ok(Line {
            invoice: position(&mut self.invoices, field(0)),
            code: position(&mut self.codes, field(1)),
            description: position(&mut self.descriptions, field(2)),
            quantity: field(3).parse().map_err(|_| refused(3))?,
            at: dates.read(field(4)).ok_or_else(|| refused(4))?,
            price: field(5).parse().map_err(|_| refused(5))?,
            customer: if field(6).is_empty() { 0 } else { field(6).parse().map_err(|_| refused(6))? },
            country: position(&mut self.countries, field(7)),
        })
    }
}

fn reader_line(error: &csv::Error) -> u64 {
    error.position().map_or(0, csv::Position::line)
}

fn position(texts: &mut Texts, text: &str) -> u32 {
    let found = texts.get_index_of(text).unwrap_or_else(|| texts.insert_full(text.into()).0);
    found as u32
}

/// Reads dates, remembering the last one: the lines of an invoice share theirs.
#[derive(Debug, Default)]
struct Dates {
    text: String,
    moment: Option<Moment>,
}

impl Dates {
    fn read(&mut self, text: &str) -> Option<Moment> {
        if self.text != text {
            self.moment = Moment::parse(text);
            text.clone_into(&mut self.text);
        }
        self.moment
    }
}
