//! Orders into files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::line::{Line, Orders};
use super::read::HEADER;
use super::repeat::Sample;
use crate::error::SimulationError;
use crate::moment::Moment;
use crate::report::WrittenFile;

/// Fast, and close to what higher levels reach on order lines.
const COMPRESSION: i32 = 3;

type Lines = csv::Writer<zstd::Encoder<'static, BufWriter<File>>>;

/// Copies the real lines from the bytes of their file, changing nothing but the date: moved by whole weeks.
///
/// # Errors
/// [`SimulationError::File`] when the file cannot be written.
pub fn write_real(
    bytes: &[u8],
    orders: &Orders,
    sample: Sample,
    path: &Path,
) -> Result<WrittenFile, SimulationError> {
    let failed = |e: csv::Error| SimulationError::file(path)(e.into());
    let mut to = create(path)?;
    let mut reader = csv::Reader::from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let mut rows = 0;
    let mut moved = (Moment(0), String::new());
    for line in &orders.lines {
        if !reader.read_byte_record(&mut record).map_err(failed)? {
            break;
        }
        if !sample.takes(line.customer, orders.invoice(line)) {
            continue;
        }
        if moved.0 != line.at {
            moved = (line.at, line.at.to_string());
        }
        let fields = record.iter().enumerate();
        let fields = fields.map(|(i, field)| if i == 4 { moved.1.as_bytes() } else { field });
        to.write_record(fields).map_err(failed)?;
        rows += 1;
    }
    finish(to, path, rows)
}

/// Writes the lines of a later copy. An invoice's number grows by a million a copy.
///
/// # Errors
/// [`SimulationError::File`] when the file cannot be written.
pub fn write_copy(
    orders: &Orders,
    lines: &[Line],
    copy: u32,
    path: &Path,
) -> Result<WrittenFile, SimulationError> {
    let failed = |e: csv::Error| SimulationError::file(path)(e.into());
    let mut to = create(path)?;
    for line in lines {
        let customer = if line.customer == 0 { String::new() } else { line.customer.to_string() };
        to.write_record([
            copied_invoice(orders.invoice(line), copy).as_str(),
            orders.code(line),
            Orders::text(&orders.descriptions, line.description),
            &line.quantity.to_string(),
            &line.at.to_string(),
            &line.price.to_string(),
            &customer,
            Orders::text(&orders.countries, line.country),
        ])
        .map_err(failed)?;
    }
    finish(to, path, lines.len() as u64)
}

fn copied_invoice(invoice: &str, copy: u32) -> String {
    let digits = invoice.trim_start_matches(|c: char| !c.is_ascii_digit());
    let letters = &invoice[..invoice.len() - digits.len()];
    let number = super::repeat::invoice_number(digits) + u64::from(copy) * 1_000_000;
    format!("{letters}{number}")
}

fn create(path: &Path) -> Result<Lines, SimulationError> {
    let file = BufWriter::new(File::create(path).map_err(SimulationError::file(path))?);
    let encoder = zstd::Encoder::new(file, COMPRESSION).map_err(SimulationError::file(path))?;
    let mut lines = csv::Writer::from_writer(encoder);
    lines.write_record(HEADER).map_err(|e| SimulationError::file(path)(e.into()))?;
    Ok(lines)
}

fn finish(lines: Lines, path: &Path, rows: u64) -> Result<WrittenFile, SimulationError> {
    let encoder = lines.into_inner().map_err(|e| SimulationError::file(path)(e.into_error()))?;
    let written = encoder.finish().and_then(|mut file| {
        file.flush()?;
        file.get_ref().metadata()
    });
    let bytes = written.map_err(SimulationError::file(path))?.len();
    Ok(WrittenFile { path: path.to_path_buf(), rows, malformed: 0, bytes })
}

#[cfg(test)]
mod tests {
    use super::copied_invoice;

    #[test]
    fn a_copied_invoice_keeps_its_letter() {
        assert_eq!(copied_invoice("489434", 3), "3489434");
        assert_eq!(copied_invoice("C489434", 1), "C1489434");
    }
}
